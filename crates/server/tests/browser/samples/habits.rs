//! The jobs of an organization that sells things: what each does, and how its runs go.

use std::time::Duration;

use horarium_domain::schedule::ScheduleInput;

/// A job, and how its runs went.
pub(super) struct Habit {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) tags: &'static [&'static str],
    /// What it calls, unless that is to be there when the server calls it.
    pub(super) url: Option<&'static str>,
    pub(super) queue: &'static str,
    pub(super) schedule: fn() -> ScheduleInput,
    pub(super) is_paused: bool,
    /// How far back its history goes.
    pub(super) since: Duration,
    /// How long it has not run.
    pub(super) rests: Duration,
    pub(super) tries: u16,
    /// What a run takes, in milliseconds, more or less.
    pub(super) takes: u64,
    /// Whether it runs for each order, at no time that a schedule tells.
    pub(super) is_per_order: bool,
    /// How a run ended, counted back from the latest.
    pub(super) ended: fn(usize) -> Ends,
    pub(super) output: &'static str,
    pub(super) error: &'static str,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Succeeded,
    AtSecondTry,
    Failed,
    Cancelled,
}

impl Habit {
    pub(super) fn ends(&self, back: usize) -> Ends {
        (self.ended)(back)
    }

    /// What each attempt of a run took.
    pub(super) fn took(&self, back: usize) -> Duration {
        // Between 60 and 160 % of what is usual.
        Duration::from_millis(self.takes * (600 + scattered(back as u64, 1000)) / 1000)
    }
}

/// A number below `most` that looks drawn by lot, and is the same each time.
pub(super) fn scattered(seed: u64, most: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) % 1_000_003 % most
}

/// How many orders come in, in each hour of the day (UTC).
pub(super) const ORDERS: [u64; 24] =
    [9, 6, 4, 3, 4, 7, 13, 20, 27, 31, 36, 41, 38, 33, 35, 39, 44, 49, 55, 58, 47, 33, 22, 14];

const DAY: Duration = Duration::from_hours(25);

/// What a job is like unless more is said of it.
const USUAL: Habit = Habit {
    name: "",
    description: "",
    tags: &[],
    url: None,
    queue: "default",
    schedule: || ScheduleInput::cron("*/15 * * * *"),
    is_paused: false,
    since: DAY,
    rests: Duration::ZERO,
    tries: 1,
    takes: 1200,
    is_per_order: false,
    ended: |_| Ends::Succeeded,
    output: r#"{"rows": 1204, "warnings": []}"#,
    error: "",
};

pub(super) const HABITS: &[Habit] = &[
    Habit {
        name: "nightly-report",
        description: "Revenue and refunds of the day before, for the people in finance.",
        tags: &["finance", "nightly"],
        url: Some("https://reports.acme.example/nightly"),
        schedule: || ScheduleInput::cron("30 2 * * *").in_zone("Europe/Berlin"),
        since: Duration::from_hours(24 * 29),
        tries: 2,
        takes: 214_000,
        ended: |back| match back {
            4 => Ends::AtSecondTry,
            11 => Ends::Failed,
            19 => Ends::Cancelled,
            _ => Ends::Succeeded,
        },
        output: r#"{"orders": 1204, "revenue": "84,120.55 EUR", "refunds": 17, "file": "s3://acme-reports/nightly.csv"}"#,
        error: "HTTP 504: the warehouse did not answer within 60 s",
        ..USUAL
    },
    Habit {
        name: "sync-orders",
        description: "Brings new orders from the shop into the ERP.",
        tags: &["shop"],
        schedule: || ScheduleInput::cron("*/5 * * * *"),
        tries: 3,
        takes: 2600,
        ended: |back| match back {
            0..7 => Ends::Failed,
            41 | 97 | 160 => Ends::AtSecondTry,
            _ => Ends::Succeeded,
        },
        error: "HTTP 502: upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        ..USUAL
    },
    Habit {
        name: "thumbnails",
        description: "Small pictures of what was uploaded.",
        tags: &["media"],
        takes: 38_000,
        output: r#"{"pictures": 412, "skipped": 3}"#,
        ..USUAL
    },
    Habit {
        name: "search-index",
        description: "Rebuilds the shop's search index.",
        tags: &["shop"],
        schedule: || ScheduleInput::cron("10 * * * *"),
        takes: 172_000,
        ..USUAL
    },
    Habit {
        name: "cleanup",
        description: "Removes carts that nobody has touched for 30 days.",
        tags: &["shop", "nightly"],
        schedule: || ScheduleInput::cron("0 * * * *"),
        is_paused: true,
        since: Duration::from_hours(50),
        rests: Duration::from_hours(27),
        takes: 840,
        ..USUAL
    },
    Habit {
        name: "exchange-rates",
        description: "The European Central Bank's reference rates.",
        tags: &["finance"],
        takes: 310,
        ended: |back| if back == 30 { Ends::Failed } else { Ends::Succeeded },
        error: "HTTP 503: service unavailable",
        ..USUAL
    },
    Habit {
        name: "ledger-export",
        description: "The day's bookings for the tax office.",
        tags: &["finance", "nightly"],
        schedule: || ScheduleInput::cron("15 */2 * * *").in_zone("Europe/Berlin"),
        tries: 2,
        takes: 7400,
        ended: |back| if back < 3 { Ends::Failed } else { Ends::Succeeded },
        error: "HTTP 401: the certificate of the client has expired",
        ..USUAL
    },
    Habit {
        name: "order-emails",
        description: "What customers are told of their orders.",
        tags: &["customers"],
        queue: "mail",
        schedule: ScheduleInput::default,
        is_per_order: true,
        rests: Duration::from_mins(52),
        tries: 5,
        takes: 450,
        ended: |back| match scattered(back as u64, 200) {
            0..2 => Ends::Failed,
            2..6 => Ends::AtSecondTry,
            6 => Ends::Cancelled,
            _ => Ends::Succeeded,
        },
        error: "SMTP 550: mailbox unavailable",
        ..USUAL
    },
    Habit {
        name: "stock-levels",
        description: "Tells the shop what the warehouse has.",
        tags: &["shop", "warehouse"],
        queue: "warehouse",
        schedule: || ScheduleInput::cron("*/2 6-21 * * *").in_zone("Europe/Berlin"),
        tries: 3,
        takes: 1900,
        ended: |back| match back % 83 {
            60 => Ends::AtSecondTry,
            71 => Ends::Failed,
            _ => Ends::Succeeded,
        },
        error: "connection refused (os error 111)",
        ..USUAL
    },
    Habit {
        name: "weekly-digest",
        description: "News for subscribers.",
        tags: &["customers"],
        url: Some("https://mail.acme.example/digest"),
        queue: "mail",
        schedule: || ScheduleInput::cron("0 9 * * 1").in_zone("Europe/Berlin"),
        since: Duration::from_hours(24 * 29),
        takes: 96_000,
        ..USUAL
    },
];
