//! The list of the cases, and the macro that makes tests of them.

/// Makes a module of tests, one per case, for the store that `$harness`, a function without arguments, opens:
/// `async fn() -> Harness`, called once per case.
#[macro_export]
macro_rules! suite {
    ($name:ident, $harness:expr) => {
        mod $name {
            #[allow(unused_imports)] // the expression may name things in full
            use super::*;

            async fn harness() -> $crate::Harness {
                ($harness)().await
            }

            $crate::suite!(@each tests);
        }
    };

    (@tests $module:ident { $($case:ident)* }) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    $crate::run(super::harness(), $crate::$module::$case);
                }
            )*
        }
    };

    (@listed $module:ident { $($case:ident)* }) => {
        #[test]
        fn $module() {
            assert_eq!(cases_in(include_str!(concat!(stringify!($module), ".rs"))), [$(stringify!($case)),*]);
        }
    };

    (@each $make:ident) => {
        $crate::suite!(@$make enqueue {
            a_submitted_execution_waits_and_can_be_read_back
            the_same_execution_submitted_again_is_accepted_once
            the_answers_are_in_the_order_of_the_batch
            a_unique_key_admits_one_live_execution
            a_unique_key_is_free_again_once_its_execution_has_ended
            a_unique_key_belongs_to_one_job
            a_unique_key_holds_against_concurrent_submitters
            a_job_that_does_not_exist_takes_no_execution
            a_full_queue_refuses_the_next_execution
            a_queue_fills_to_its_limit_exactly_under_concurrent_submitters
            an_empty_batch_is_accepted
        });
    };
}

#[cfg(test)]
mod every_case_is_listed {
    /// The names of the cases in a module's source, in their order.
    fn cases_in(source: &str) -> Vec<&str> {
        let starts = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        starts.filter_map(|rest| rest.split_once('(').map(|(name, _)| name)).collect()
    }

    crate::suite!(@each listed);
}
