use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// A folder with a configuration file, beside an environment and flags.
struct Given {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    flags: SettingFlags,
}

fn given(file: &str) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("horarium.toml");
    std::fs::write(&path, file).unwrap();
    let flags = SettingFlags { config: Some(path), ..SettingFlags::default() };
    Given { folder, environment: Vec::new(), flags }
}

impl Given {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.flags.given.insert(name, value.into());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.flags, &self.environment.iter().cloned().collect())
    }

    /// The one line that stops the start, with the folder's name taken out.
    fn error(&self) -> String {
        let line = self.load().err().expect("the configuration is refused").to_string();
        assert!(!line.contains('\n'), "one line: {line}");
        line.replace(&format!("{}/", self.folder.path().display()), "")
    }

    fn shown(&self, name: &str) -> (String, Source) {
        let loaded = self.load().unwrap();
        loaded.rows.iter().find(|row| row.name == name).map(|row| (row.value.clone(), row.source.clone())).unwrap()
    }
}

#[test]
fn without_any_setting_everything_has_a_sound_default() {
    let loaded = given("").load().unwrap();
    assert_eq!(loaded.config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(loaded.config.data_dir, PathBuf::from("horarium-data"));
    assert_eq!(loaded.config.database_url.to_string(), "sqlite://horarium-data/horarium.db");
    assert_eq!(loaded.config.lease_seconds, Duration::from_secs(30));
    assert!(loaded.config.auto_create_tenants && loaded.config.signs_tokens());
    assert!(loaded.rows.iter().all(|row| row.source == Source::Default));
    assert_eq!(loaded.rows.len(), SETTINGS.len());
    assert!(loaded.warnings.is_empty());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut given = given("\nconcurrency = 1").variable("HORARIUM_CONCURRENCY", "2").flag("concurrency", "3");
    assert_eq!(given.shown("concurrency"), ("3".into(), Source::Flag("--concurrency".into())));
    given.flags.given.clear();
    assert_eq!(given.shown("concurrency"), ("2".into(), Source::Environment("HORARIUM_CONCURRENCY".into())));
    given.environment.clear();
    let file = Source::File { path: given.folder.path().join("horarium.toml"), line: 2 };
    assert_eq!(given.shown("concurrency"), ("1".into(), file));
}

#[test]
fn the_database_goes_along_with_the_data_folder() {
    let moved = given("").variable("HORARIUM_DATA_DIR", "/var/lib/horarium");
    assert_eq!(moved.load().unwrap().config.database_url.to_string(), "sqlite:///var/lib/horarium/horarium.db");
}

#[test]
fn lists_are_arrays_in_the_file_and_separated_by_commas_elsewhere() {
    let array = given(r#"egress_allow = ["127.0.0.1", "10.0.0.0/8"]"#);
    let commas = given("").variable("HORARIUM_EGRESS_ALLOW", "127.0.0.1, 10.0.0.0/8");
    assert_eq!(array.load().unwrap().config.egress_allow, commas.load().unwrap().config.egress_allow);
    let closed = given(r#"egress_allow = ["10.0.0.0/8"]"#).variable("HORARIUM_EGRESS_ALLOW", "");
    assert_eq!(closed.load().unwrap().config.egress_allow, horarium_executors::EgressPolicy::public_only());
}

#[test]
fn numbers_are_read_however_toml_lets_them_be_written() {
    assert_eq!(given("max_body_bytes = 0x10_0000").load().unwrap().config.max_body_bytes, 1 << 20);
    assert_eq!(given("max_body_bytes = '2048'").load().unwrap().config.max_body_bytes, 2048);
}

#[test]
fn a_wrong_value_is_told_in_one_line_with_its_place_and_what_is_allowed() {
    assert_eq!(
        given("").variable("HORARIUM_LISTEN", "localhost").error(),
        "the setting 'listen' cannot be 'localhost' (environment variable HORARIUM_LISTEN): \
         it must be an address and a port, such as 127.0.0.1:8080 or [::]:8080"
    );
    assert_eq!(
        given("log = 'info'\nlease_seconds = 1\n").error(),
        "the setting 'lease_seconds' cannot be '1' (horarium.toml, line 2): \
         it must be a whole number of seconds from 2 to 3600"
    );
    assert_eq!(
        given("").flag("auto_create_tenants", "yes").error(),
        "the setting 'auto_create_tenants' cannot be 'yes' (flag --auto-create-tenants): it must be true or false"
    );
    assert_eq!(
        given("listen = ['127.0.0.1:1', '127.0.0.1:2']").error(),
        "the setting 'listen' cannot be '127.0.0.1:1, 127.0.0.1:2' (horarium.toml, line 1): \
         it must be an address and a port, such as 127.0.0.1:8080 or [::]:8080"
    );
    assert_eq!(
        given("[listen]\nport = 80").error(),
        "the setting 'listen' cannot be 'table' (horarium.toml, line 1): \
         it must be an address and a port, such as 127.0.0.1:8080 or [::]:8080"
    );
    assert_eq!(
        given("").variable("HORARIUM_DATABASE_URL", "mysql://db").error(),
        "the setting 'database_url' cannot be 'mysql://db' (environment variable HORARIUM_DATABASE_URL): a database's \
         address begins with postgres:// or sqlite://, such as sqlite:///var/lib/horarium/horarium.db"
    );
}

#[test]
fn a_word_that_is_no_level_is_no_filter_of_log_lines() {
    assert_eq!(
        given("").variable("HORARIUM_LOG", "loud").error(),
        "the setting 'log' cannot be 'loud' (environment variable HORARIUM_LOG): it must be off, error, warn, info, \
         debug or trace, or levels by module, such as info,horarium::access=debug"
    );
    for wrong in ["info,api=loud", "info,horarium", "info, debug", "debug verbose"] {
        assert!(given("").variable("HORARIUM_LOG", wrong).error().contains(&format!("cannot be '{wrong}'")));
    }
    for sound in ["off", "WARN", "info,horarium::access=debug", "warn,api=trace", "[request{id=a}]=debug"] {
        assert!(given("").variable("HORARIUM_LOG", sound).load().is_ok(), "{sound}");
    }
}

#[test]
fn an_unknown_name_in_the_file_stops_the_start() {
    assert_eq!(
        given("\n\nlistne = '127.0.0.1:1'").error(),
        "horarium.toml, line 3: there is no setting 'listne', did you mean 'listen'?; \
         'horarium config' lists them all"
    );
    assert_eq!(
        given("colour = 'red'").error(),
        "horarium.toml, line 1: there is no setting 'colour'; 'horarium config' lists them all"
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_with_the_line() {
    let error = given("log = 'info'\nlisten = \n").error();
    assert!(error.starts_with("horarium.toml, line 2: "), "{error}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let named = SettingFlags { config: Some("no/such.toml".into()), ..SettingFlags::default() };
    let error = load(&named, &Environment::default()).err().unwrap().to_string();
    assert!(error.starts_with("no/such.toml cannot be read (flag --config): "), "{error}");
    let variable = [("HORARIUM_CONFIG".to_owned(), "other.toml".to_owned())].into_iter().collect();
    let error = load(&SettingFlags::default(), &variable).err().unwrap().to_string();
    assert!(error.starts_with("other.toml cannot be read (environment variable HORARIUM_CONFIG): "), "{error}");
}

#[test]
fn a_variable_that_does_nothing_is_warned_of_and_those_of_others_are_left_alone() {
    let mut given = given("");
    for (variable, value) in [
        ("HORARIUM_LISEN", "127.0.0.1:1"),
        ("HORARIUM_log", "info"),
        ("HORARIUM_PORT", "9090"),
        ("HORARIUM_DATABASE_URL_FILE", "/dev/null"),
        // The rest is known.
        ("HORARIUM_LEASE_SECONDS", "10"),
        ("HORARIUM_METRICS_TOKEN", "sixteen bytes at least"),
        ("HORARIUM_METRICS_TOKEN_FILE", "/dev/null"),
        ("HORARIUM_CONFIG", "other.toml"),
        ("HORARIUM_SERVER", "http://127.0.0.1:8080"),
        ("HORARIUM_TOKEN", "x"),
        ("HORARIUM_API_KEY", "x"),
        ("HORARIUM_JOB_ID", "x"),
        ("HORARIUM_TOOLS", "x"),
        ("HORARIUM_TEST_POSTGRES_URL", "postgres://x"),
        ("HORARIUM_SERVICE_HOST", "10.0.0.1"),
        ("HORARIUM_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("OTHER_HORARIUM_LISEN", "x"),
    ] {
        given = given.variable(variable, value);
    }
    assert_eq!(
        given.load().unwrap().warnings,
        [
            "HORARIUM_DATABASE_URL_FILE is no setting",
            "HORARIUM_LISEN is no setting; did you mean HORARIUM_LISTEN?",
            "HORARIUM_PORT is no setting",
            "HORARIUM_log is no setting; did you mean HORARIUM_LOG?",
        ]
    );
}

#[test]
fn secrets_come_from_files_too_and_are_never_shown() {
    let secret = "a-secret-of-more-than-thirty-two-bytes";
    let mut given = given("");
    let file = given.folder.path().join("secret");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    given = given.variable("HORARIUM_JWT_SECRET_FILE", file.to_str().unwrap());
    assert_eq!(given.load().unwrap().config.jwt_secret.unwrap().reveal(), secret);
    let variable = Source::Environment("HORARIUM_JWT_SECRET_FILE".into());
    assert_eq!(given.shown("jwt_secret"), ("********".into(), variable));

    let error = self::given("").variable("HORARIUM_JWT_SECRET", "too short").error();
    assert!(!error.contains("too short"), "{error}");
    assert!(error.contains("a secret of at least 32 bytes"), "{error}");
}

#[test]
fn a_password_in_the_databases_address_is_hidden_even_when_the_address_is_wrong() {
    let sound = given("").variable("HORARIUM_DATABASE_URL", "postgres://horarium:geheim@db:5432/horarium");
    assert_eq!(sound.shown("database_url").0, "postgres://********@db:5432/horarium");
    for wrong in ["postgres://horarium:geheim@db:port/horarium", "horarium:geheim@db", "pg://db?password=geheim"] {
        let error = given("").variable("HORARIUM_DATABASE_URL", wrong).error();
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[test]
fn connections_are_read_from_a_list_or_a_text_and_never_shown() {
    let list = given("connections = ['a=postgres://me:geheim@db/x', 'b=postgres://me:geheim@db/y']");
    assert!(!list.load().unwrap().config.connections.is_empty());
    assert_eq!(list.shown("connections").0, "********");
    for wrong in ["a=mysql://me:geheim@db/x", "postgres://me:geheim@db/x", "a=postgres://me:geheim@db:port/x"] {
        let error = given("").variable("HORARIUM_CONNECTIONS", wrong).error();
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[test]
fn secrets_are_no_flags() {
    use clap::Args;
    let command = SettingFlags::augment_args(clap::Command::new("serve"));
    let flags: Vec<_> = command.get_arguments().filter_map(|argument| argument.get_long()).collect();
    assert!(flags.contains(&"lease-seconds") && flags.contains(&"database-url"));
    assert!(!flags.contains(&"jwt-secret") && !flags.contains(&"metrics-token"));
}

#[test]
fn tokens_are_checked_in_one_way() {
    let two = given("jwks = 'keys.json'").variable("HORARIUM_JWT_PUBLIC_KEY", "key.pem");
    assert_eq!(
        two.error(),
        "'jwt_public_key' (environment variable HORARIUM_JWT_PUBLIC_KEY) and 'jwks' (horarium.toml, line 1) exclude \
         each other: tokens are checked with one of jwt_secret, jwt_public_key and jwks; remove one of the two"
    );
    assert!(given("jwks = 'k.json'\njwt_algorithms = ['HS256']").error().contains("HS256 is what jwt_secret is for"));
    let one_key = given("jwt_public_key = 'k.pem'\njwt_algorithms = ['RS256', 'ES256']");
    assert!(one_key.error().contains("it must be one algorithm"));
    assert!(!given("jwks = 'https://issuer.example/keys'").load().unwrap().config.signs_tokens());
}

#[test]
fn an_openid_provider_needs_a_client_and_the_servers_address() {
    let issuer = "oidc_issuer = 'https://id.example'\n";
    assert_eq!(given(issuer).error(), "'oidc_issuer' (horarium.toml, line 1) needs 'oidc_client_id', which is not set");
    let with_client = format!("{issuer}oidc_client_id = 'horarium'\n");
    assert!(given(&with_client).error().ends_with("needs 'public_url', which is not set"));
    let whole =
        format!("{with_client}public_url = 'https://jobs.example'\noidc_roles = ['cn=ops,dc=x=Admin', 'all = read']");
    let roles = given(&whole).load().unwrap().config.oidc_roles;
    let roles: Vec<_> = roles.iter().map(|given| (given.value.as_str(), given.role.name())).collect();
    assert_eq!(roles, [("cn=ops,dc=x", "admin"), ("all", "read")]);
    assert!(given("oidc_roles = ['ops=chief']").error().contains("'oidc_roles' cannot be"));
}

#[test]
fn the_documentation_lists_every_setting_as_it_is() {
    const BEGIN: &str = "<!-- settings: made from crates/server/src/config/settings.rs -->\n";
    const END: &str = "<!-- end of settings -->";
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/configuration.md marks where the table begins");
    let (table, after) = rest.split_once(END).expect("docs/configuration.md marks where the table ends");

    let made = documentation();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        table, made,
        "docs/configuration.md is not what the code says; UPDATE_DOCS=1 cargo test -p horarium-server writes it anew"
    );
}

fn documentation() -> String {
    let mut text = String::from("\n| setting | what it is | it must be | default |\n| --- | --- | --- | --- |\n");
    for setting in SETTINGS.iter() {
        let default = match setting.default {
            words if words.contains(' ') || words == "none" => words.to_owned(),
            value => format!("`{value}`"),
        };
        let line = format!("| `{}` | {} | {} | {default} |\n", setting.name, setting.about, setting.allowed);
        text.push_str(&line);
    }
    text.push('\n');
    text
}
