//! SQL functions that both databases have, the second with a little help.

use diesel::QueryResult;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::SqliteConnection;

diesel::define_sql_function! {
    /// The text without regard to case.
    fn lower(text: Text) -> Text;
}

diesel::define_sql_function! {
    /// The first of the two that is not null.
    #[sql_name = "coalesce"]
    fn or_else(text: Nullable<Text>, otherwise: Text) -> Text;
}

/// Gives a SQLite connection a `lower` that knows more letters than those of ASCII, as PostgreSQL's does.
pub(crate) fn register(connection: &mut SqliteConnection) -> QueryResult<()> {
    lower_utils::register_impl(connection, |text: String| text.to_lowercase())
}
