//! Isolation: two tenants call their things by the same names, in all dialects at once and now and then with each
//! other's ids, and each sees its own and nothing else. Random calls, every answer held against a model.

mod calls;
mod model;
mod platform;
mod views;
mod world;

use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Builder;

use calls::Call;
use views::View;
use world::World;

/// One call, and where both tenants look after it.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Which of the two calls.
    who: usize,
    call: Call,
    /// Whether the call is about a thing of the other's, where it names one by its id.
    theirs: bool,
    /// Which name or thing it is about.
    pick: usize,
    view: View,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..2_usize, select(Call::ALL), prop::bool::weighted(0.3), 0..60_usize, select(View::ALL))
        .prop_map(|(who, call, theirs, pick, view)| Step { who, call, theirs, pick, view });
    prop::collection::vec(step, 30..=60)
}

async fn walk(steps: Vec<Step>) {
    let mut world = World::start().await;
    for step in steps {
        world.take(step).await;
        for who in 0..2 {
            world.look(who, step.view).await;
        }
    }
    for view in View::ALL {
        for who in 0..2 {
            world.look(who, *view).await;
        }
    }
}

proptest! {
    // Each attempt to shrink what failed is a server of its own.
    #![proptest_config(ProptestConfig {
        cases: 16,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_two_tenants_do_each_sees_its_own_and_nothing_of_the_others(steps in steps()) {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(walk(steps));
    }
}
