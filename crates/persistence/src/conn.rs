//! One ordinary connection, of either database, and how to use it.

use std::ops::{Deref, DerefMut};

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;

use crate::sqlite::Lite;

/// A connection from one of the ordinary pools.
#[allow(clippy::large_enum_variant)] // there are as many as connections, and none is moved often
pub(crate) enum Conn {
    /// To PostgreSQL.
    Pg(Object<AsyncPgConnection>),
    /// To SQLite.
    Lite(Object<Lite>),
}

/// Instantiates an expression for the database that a [`Conn`] is connected to:
/// `on!(conn, c => jobs::table.find(id).first::<JobRow>(c).await)`.
/// Within it, `Db` names diesel's backend, for `into_boxed::<Db>()`.
macro_rules! on {
    ($conn:expr, $c:ident => $expression:expr) => {
        match $conn {
            $crate::conn::Conn::Pg($c) => {
                #[allow(dead_code)] // only some expressions name their backend
                type Db = diesel::pg::Pg;
                $expression
            }
            $crate::conn::Conn::Lite($c) => {
                #[allow(dead_code)]
                type Db = diesel::sqlite::Sqlite;
                $expression
            }
        }
    };
}

pub(crate) use on;

/// A connection on loan. It goes back to its pool only by [`give_back`](Self::give_back): a caller that goes away in
/// the middle (a dropped future) may leave a statement running or a transaction open, so its connection is closed.
pub(crate) struct Loan(Option<Conn>);

impl Loan {
    pub(crate) fn new(conn: Conn) -> Self {
        Self(Some(conn))
    }

    /// Returns the connection to its pool.
    pub(crate) fn give_back(mut self) {
        self.0 = None;
    }
}

impl Deref for Loan {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        // Only `give_back` and `drop` empty it, and both end the loan.
        self.0.as_ref().unwrap_or_else(|| unreachable!("a connection that was given back"))
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Conn {
        // As above.
        self.0.as_mut().unwrap_or_else(|| unreachable!("a connection that was given back"))
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        match self.0.take() {
            Some(Conn::Pg(object)) => drop(Object::take(object)),
            Some(Conn::Lite(object)) => drop(Object::take(object)),
            None => {}
        }
    }
}
