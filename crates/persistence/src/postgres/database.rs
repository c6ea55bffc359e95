//! The connections to one PostgreSQL database.

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig as HotManagerConfig, QueueMode, RecyclingMethod as HotRecycling,
};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use horarium_domain::store::StoreError;

use super::Server;
use crate::error::{no_connection, unavailable, with_causes};
use crate::options::DatabaseOptions;

/// What every hot connection is told once. The hot statements are written so that one plan, by index, is right whatever
/// the arguments and however old the statistics; these keep the planner from looking for another.
const HOT_SETTINGS: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
     set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off; set jit = off; set timezone = 'UTC'";

/// What every other connection is told once. These are short statements, whose costs the planner overestimates: to compile
/// one, or to start workers for it, takes several times as long as to run it.
const ORDINARY_SETTINGS: &str = "set jit = off; set max_parallel_workers_per_gather = 0";

/// What such a connection is told before it reads the history by [`SqlStore::read_history`](crate::store::SqlStore). To plan
/// a statement anew for its arguments takes longer than to run it, the more days there are the longer; and statistics
/// from before a tenant's first million executions, or from before a day's, mislead. The statements are written so that
/// one plan, by index, is right whatever the arguments.
pub(crate) const HISTORY_SETTINGS: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off";

/// What it is told afterwards.
pub(crate) const HISTORY_RESET: &str = "reset plan_cache_mode; reset enable_seqscan";

/// One PostgreSQL database.
pub(crate) struct PostgresDatabase {
    server: Server,
    ordinary: Pool<AsyncPgConnection>,
    hot: deadpool_postgres::Pool,
    options: DatabaseOptions,
}

impl PostgresDatabase {
    /// Makes the pools and opens a first connection, so that a wrong address is told at once.
    pub(crate) async fn connect(config: tokio_postgres::Config, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let server = Server::new(config)?;
        let database = Self {
            ordinary: ordinary_pool(&server, options)?,
            hot: hot_pool(&server, options)?,
            server,
            options: *options,
        };
        drop(database.connection().await?);
        Ok(database)
    }

    /// How to open a connection of one's own, such as for LISTEN.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The hot path's connections: statements prepared once, planner settings fixed.
    pub(crate) fn hot(&self) -> &deadpool_postgres::Pool {
        &self.hot
    }

    /// An ordinary connection.
    pub(crate) async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        tokio::time::timeout(self.options.acquire_timeout, self.ordinary.get())
            .await
            .map_err(|_| StoreError::Unavailable("every connection to PostgreSQL is busy".to_owned()))?
            .map_err(no_connection)
    }

    /// A connection outside the pools, as diesel uses it.
    pub(crate) async fn dedicated(&self) -> Result<AsyncPgConnection, StoreError> {
        establish(&self.server).await.map_err(unavailable)
    }
}

async fn establish(server: &Server) -> diesel::ConnectionResult<AsyncPgConnection> {
    let (client, driver) =
        server.connect().await.map_err(|error| diesel::ConnectionError::BadConnection(with_causes(&error)))?;
    let mut connection = AsyncPgConnection::try_from_client_and_connection(client, driver).await?;
    connection.batch_execute(ORDINARY_SETTINGS).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

fn ordinary_pool(server: &Server, options: &DatabaseOptions) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let server = server.clone();
    let mut manager = ManagerConfig::<AsyncPgConnection>::default();
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_| {
        let server = server.clone();
        async move { establish(&server).await }.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", manager);
    Pool::builder(manager).max_size(options.connections.max(1)).build().map_err(unavailable)
}

fn hot_pool(server: &Server, options: &DatabaseOptions) -> Result<deadpool_postgres::Pool, StoreError> {
    let recycling = HotManagerConfig { recycling_method: HotRecycling::Fast };
    let (config, tls) = server.clone().into_parts();
    let manager = Manager::from_config(config, tls, recycling);
    deadpool_postgres::Pool::builder(manager)
        .max_size(options.hot_connections.max(1))
        // When there is little to do, few connections do all of it, and have their statements prepared and planned.
        .queue_mode(QueueMode::Lifo)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(options.acquire_timeout))
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(HOT_SETTINGS).await.map_err(HookError::Backend) })
        }))
        .build()
        .map_err(unavailable)
}
