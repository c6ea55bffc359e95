//! Resolving names, and letting through only addresses that jobs may reach.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use horarium_domain::address::Forbidden;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::policy::{EGRESS_ALLOW_VARIABLE, EgressPolicy};

/// Turns a host name into addresses.
#[async_trait]
pub trait NameResolver: Send + Sync + 'static {
    /// All addresses of `host`, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl NameResolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A host that jobs may not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{host}' is not open to jobs: {address} is {reason}. An operator can open it with {EGRESS_ALLOW_VARIABLE} \
     (a list of networks such as {address})"
)]
pub struct EgressRefusal {
    /// The host as the address names it.
    pub host: String,
    /// Its address; the first one when it has several and all are closed.
    pub address: IpAddr,
    /// Why that address is closed.
    pub reason: Forbidden,
}

/// Why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It has addresses, and all of them are closed to jobs.
    #[error(transparent)]
    Refused(#[from] EgressRefusal),
    /// It has no address at all.
    #[error("the name '{0}' has no address")]
    NoAddress(String),
    /// The resolver failed, or does not know the name.
    #[error("the name '{host}' cannot be resolved: {source}")]
    Failed {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
}

/// The guard: a policy and the resolver that it watches over.
#[derive(Clone)]
pub struct Egress {
    policy: Arc<EgressPolicy>,
    names: Arc<dyn NameResolver>,
}

impl Egress {
    /// Lets through what `policy` does not refuse.
    pub fn new(policy: EgressPolicy, names: Arc<dyn NameResolver>) -> Self {
        Self { policy: Arc::new(policy), names }
    }

    /// Checks a host that is written as an address. One that is a name passes: [`GuardedResolver`] checks what it
    /// resolves to when it is connected to.
    pub fn check_host(&self, host: &Host<&str>) -> Result<(), EgressRefusal> {
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(v4) => IpAddr::V4(*v4),
            Host::Ipv6(v6) => IpAddr::V6(*v6),
        };
        match self.policy.refuses(address) {
            None => Ok(()),
            Some(reason) => Err(EgressRefusal { host: host.to_string(), address, reason }),
        }
    }

    /// The addresses of `host` that jobs may reach, in the resolver's order; never none.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let all = match self.names.resolve(host).await {
            Ok(all) => all,
            Err(source) => return Err(ResolveError::Failed { host: host.to_owned(), source }),
        };
        let mut open = Vec::with_capacity(all.len());
        let mut refusal = None;
        for address in all {
            match self.policy.refuses(address) {
                None => open.push(address),
                Some(reason) => {
                    refusal.get_or_insert_with(|| EgressRefusal { host: host.to_owned(), address, reason });
                }
            }
        }
        match refusal {
            _ if !open.is_empty() => Ok(open),
            Some(refusal) => Err(refusal.into()),
            None => Err(ResolveError::NoAddress(host.to_owned())),
        }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What the HTTP client resolves names with.
#[derive(Debug, Clone)]
pub struct GuardedResolver(pub Egress);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0.clone();
        Box::pin(async move {
            let addresses = egress.resolve(name.as_str()).await?;
            // Port 0 lets the client put in the one of the URL.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<&'static str>);

    #[async_trait]
    impl NameResolver for Fixed {
        async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    fn egress(addresses: &[&'static str]) -> Egress {
        Egress::new(EgressPolicy::public_only(), Arc::new(Fixed(addresses.to_vec())))
    }

    #[tokio::test]
    async fn only_the_open_addresses_of_a_name_are_used() {
        let open = egress(&["127.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]).resolve("mixed.example").await.unwrap();
        assert_eq!(open, ["8.8.8.8".parse::<IpAddr>().unwrap(), "2606:4700::1111".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_without_an_open_address_is_refused_by_name() {
        let error = egress(&["169.254.169.254", "10.0.0.1"]).resolve("evil.example").await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, ResolveError::Refused(EgressRefusal { reason: Forbidden::Metadata, .. })), "{told}");
        for part in ["evil.example", "169.254.169.254", "HORARIUM_EGRESS_ALLOW"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[tokio::test]
    async fn a_name_without_any_address_is_no_refusal() {
        let error = egress(&[]).resolve("nobody.example").await.unwrap_err();
        assert!(matches!(error, ResolveError::NoAddress(_)), "{error}");
    }

    #[test]
    fn every_way_to_write_an_address_in_a_url_is_seen_through() {
        let guard = egress(&[]);
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://0/",
            "http://①②⑦.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://user:pass@127.0.0.1:80/",
        ] {
            let url = url::Url::parse(text).unwrap();
            assert!(guard.check_host(&url.host().unwrap()).is_err(), "{text}");
        }
    }
}
