//! What `serve` prints: where it listens, and at the first start how to go on from there.

use std::net::{IpAddr, SocketAddr};

/// How long the token of the first start holds.
pub(crate) const TOKEN_DAYS: u64 = 30;

/// The address to use in a browser on this machine: an unspecified one is no place to go to.
pub(crate) fn url(listening: SocketAddr) -> String {
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    format!("http://{address}")
}

/// The first start, with a token to begin with.
pub(crate) fn welcome(listening: SocketAddr, token: &str) -> String {
    let base = url(listening);
    format!(
        r#"Horarium is listening on {base}

This is its first start. Here is a token for the tenant "default", with the role system_admin. It holds for
{TOKEN_DAYS} days and is shown this once; `horarium token create` makes others.

export HORARIUM_TOKEN={token}

Paste that line, then these: they create a job, run it, and read what came of it.

JOB=$(curl -sS {base}/api/v1/scheduler/jobs -H "Authorization: Bearer $HORARIUM_TOKEN" -H 'Content-Type: application/json' -d '{{"name":"hello","jobType":"CodeExecution","jobConfiguration":{{"handlerType":"system.reportGeneration"}}}}' | cut -d '"' -f 4)
EXECUTION=$(curl -sS -X POST {base}/api/v1/scheduler/jobs/$JOB/trigger -H "Authorization: Bearer $HORARIUM_TOKEN" | tr -d '"')
curl -sS {base}/api/v1/scheduler/executions/$EXECUTION -H "Authorization: Bearer $HORARIUM_TOKEN"

The API is described at {base}/docs."#
    )
}

/// The first start of a server whose tokens somebody else issues.
pub(crate) fn welcome_without_token(listening: SocketAddr) -> String {
    let base = url(listening);
    format!(
        "Horarium is listening on {base}\n\nThis is its first start. Tokens come from your issuer; `horarium keys \
         create` makes API keys without one. The API is described at {base}/docs."
    )
}

/// Every later start.
pub(crate) fn greeting(listening: SocketAddr, signs_tokens: bool) -> String {
    let credential = if signs_tokens {
        "`horarium token create --role system_admin` makes a token"
    } else {
        "`horarium keys create` makes an API key"
    };
    format!("Horarium is listening on {} ({credential})", url(listening))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_everywhere_becomes_one_to_go_to() {
        for (listening, shown) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ] {
            assert_eq!(url(listening.parse().unwrap()), shown);
        }
    }

    #[test]
    fn every_command_of_the_first_start_is_one_line_with_the_address_and_the_token() {
        let printed = welcome("127.0.0.1:18080".parse().unwrap(), "a.b.c");
        let calls: Vec<_> = printed.lines().filter(|line| line.contains("curl ")).collect();
        assert_eq!(calls.len(), 3);
        assert!(calls.iter().all(|line| line.contains("http://127.0.0.1:18080/api/v1/scheduler/")));
        assert!(calls.iter().all(|line| line.contains(r#"-H "Authorization: Bearer $HORARIUM_TOKEN""#)));
        assert!(printed.contains("\nexport HORARIUM_TOKEN=a.b.c\n"));
    }
}
