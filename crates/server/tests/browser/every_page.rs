//! What holds of every page, whatever is on it; and a picture of each.

use std::path::Path;

use crate::awkward;
use crate::samples::Samples;
use crate::support::{HARM, Page, View};

/// A page: the name of its picture, and its address. One more line here is one more page that is tested and pictured.
type Listed = (&'static str, fn(&Samples) -> String);

pub(crate) const PAGES: &[Listed] = &[
    ("overview", |_| "/overview".to_owned()),
    ("jobs", |_| "/jobs".to_owned()),
    ("job", |samples| format!("/jobs/{}?range=30d", samples.job)),
    ("job-form", |samples| format!("/jobs/{}/edit", samples.job)),
    ("job-trigger", |samples| format!("/jobs/{}/trigger", samples.job)),
    ("job-delete", |samples| format!("/jobs/{}/delete", samples.job)),
    ("executions", |_| "/executions".to_owned()),
    ("execution-running", |samples| format!("/executions/{}", samples.running)),
    ("execution-succeeded", |samples| format!("/executions/{}", samples.succeeded)),
    ("execution-failed", |samples| format!("/executions/{}", samples.failed)),
    ("broadcast", |samples| format!("/executions/{}", samples.broadcast)),
    ("queues", |_| "/queues".to_owned()),
    ("queue", |samples| format!("/queues/{}", samples.queue)),
    ("agents", |_| "/agents".to_owned()),
    ("agent", |samples| format!("/agents/{}", samples.agent)),
    ("keys", |_| "/keys".to_owned()),
    ("key-form", |_| "/keys/new".to_owned()),
    ("audit", |_| "/audit".to_owned()),
    ("integrations", |_| "/settings/integrations".to_owned()),
];

/// What a page may weigh, compressed, for somebody who has none of it yet.
const MOST_BYTES: u64 = 60_000;

/// What it weighs, with everything that it needs, also what the browser has kept; headers are put at 300 bytes.
const BYTES: &str = "
    const parts = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    return parts.reduce((sum, part) => sum + part.encodedBodySize + 300, 0);";

/// Visits every page, the way in first.
async fn visit(samples: &Samples, view: View, check: impl AsyncFn(&Page, &str)) {
    let page = samples.site.open(view, "/").await;
    check(&page, "sign-in").await;
    page.sign_in(&samples.key).await;
    for (name, address) in PAGES {
        page.go(&address(samples)).await;
        check(&page, name).await;
    }
    page.close().await;
}

#[tokio::test]
async fn every_page_is_accessible() {
    visit(&Samples::make().await, View::DESKTOP, async |page, _| page.is_accessible().await).await;
}

#[tokio::test]
async fn every_page_is_accessible_in_the_dark() {
    visit(&Samples::make().await, View::DESKTOP.dark(), async |page, _| page.is_accessible().await).await;
}

#[tokio::test]
async fn every_page_fits_a_narrow_window() {
    visit(&Samples::make().await, View::NARROW, async |page, _| page.fits().await).await;
}

#[tokio::test]
async fn every_page_bears_the_longest_and_the_strangest_texts() {
    let samples = awkward::samples().await;
    let bears = async |page: &Page, name: &str| {
        page.fits().await;
        // Text is taken for markup neither in an element nor in an attribute, and no address runs anything.
        let harm = format!("return document.querySelectorAll('{HARM}, [href^=\"javascript:\" i]').length");
        assert_eq!(page.run(&harm).await, 0, "{name} takes text for markup");
    };
    for view in [View::DESKTOP, View::NARROW] {
        visit(&samples, view, &bears).await;
    }
}

#[tokio::test]
async fn every_page_can_be_read_without_scripts() {
    let reads = async |page: &Page, name: &str| {
        let text = page.text_of("main").await.unwrap();
        assert!(!text.is_empty(), "{name} is empty");
    };
    visit(&Samples::make().await, View::DESKTOP.without_scripts(), reads).await;
}

#[tokio::test]
async fn every_page_is_light_on_the_wire() {
    let weighs = async |page: &Page, name: &str| {
        let bytes = page.run(BYTES).await.as_u64().unwrap();
        assert!(bytes <= MOST_BYTES, "{name} takes {bytes} bytes with all that it needs; at most {MOST_BYTES} is fine");
    };
    visit(&Samples::make().await, View::DESKTOP, weighs).await;
}

#[tokio::test]
#[ignore = "makes the pictures in docs/images; scripts/screenshots runs it"]
async fn every_page_is_pictured() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images"));
    std::fs::create_dir_all(folder).unwrap();
    let samples = Samples::make().await;
    let page = samples.site.sign_in(View::DESKTOP, &samples.key).await;
    page.go("/agents").await;
    page.sees("Gone").await;
    page.close().await;
    for (view, of) in [
        (View::DESKTOP, "light-1280"),
        (View::DESKTOP.dark(), "dark-1280"),
        (View::PHONE, "light-375"),
        (View::PHONE.dark(), "dark-375"),
    ] {
        visit(&samples, view.in_zone("Europe/Berlin"), async |page, name| {
            std::fs::write(folder.join(format!("{name}-{of}.webp")), page.picture().await).unwrap();
        })
        .await;
    }
}
