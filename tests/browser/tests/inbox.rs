//! The inbox page of dev mode, as a person meets it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use countersign_browser_tests::{Browser, Screen, Service, turn};
use serde_json::json;

const PHONE: &str = "+12125550123";

#[tokio::test]
async fn a_code_appears_without_a_reload_and_one_click_copies_it() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#empty h2", "Nothing here yet").await;
    page.picture("inbox-empty-desktop-light").await;

    service.verify(PHONE).await;
    page.reads(".message .to", PHONE).await;
    let message = &service.inbox().await[0];
    let code = message["code"].as_str().unwrap();
    page.reads(".message .text", message["text"].as_str().unwrap()).await;
    page.reads(".message .digits b:first-child", &code[..3]).await;
    page.reads(".message .digits b:last-child", &code[3..]).await;

    page.picture("inbox-desktop-light").await;

    page.click(".message .code").await;
    page.reads(".message .code .copy", "Copied").await;
    assert_eq!(pasted(&page).await, code);
    page.close().await;
}

/// What is in the clipboard, by pasting it into the filter.
async fn pasted(page: &Browser) -> String {
    page.fill("#filter", "\u{e009}v\u{e009}").await; // Control held, v, Control released
    page.find("#filter").await.prop("value").await.unwrap().unwrap()
}

#[tokio::test]
async fn pushing_the_clock_on_the_page_moves_the_service() {
    let _turn = turn().await;
    let service = Service::start().await;
    let id = service.verify(PHONE).await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.counts(".message", 1).await;
    assert_eq!(service.verification(&id).await["status"], "pending");

    page.click("[data-push='30']").await;
    page.reads("#announce", "The service's clock was pushed by 30 s.").await;
    page.fill("#seconds", "571\u{e007}").await; // and Enter
    page.reads(".message .life", "code expired").await;
    assert_eq!(service.verification(&id).await["status"], "expired");
    page.close().await;
}

#[tokio::test]
async fn a_push_by_the_api_reaches_an_open_page() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#drift", "in step with this computer").await;
    service.call("POST", "/dev/clock", &json!({"advance_seconds": 3600})).await;
    page.reads("#drift", "1 h ahead of this computer").await;
    page.close().await;
}

#[tokio::test]
async fn messages_are_filtered_by_recipient_and_cleared_by_a_second_click() {
    let _turn = turn().await;
    let service = Service::start().await;
    for to in [PHONE, "+12125550124", "ada@example.com"] {
        service.verify(to).await;
    }
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#count", "3 messages").await;
    page.fill("#filter", "555-0124").await;
    page.counts(".message", 1).await;
    page.reads("#count", "1 of 3 messages").await;

    page.click("#clear").await;
    page.reads("#clear", "Clear 3 messages?").await;
    assert_eq!(service.inbox().await.len(), 3);
    page.click("#clear").await;
    page.reads("#empty h2", "Nothing here yet").await;
    assert!(service.inbox().await.is_empty());
    page.close().await;
}

#[tokio::test]
async fn on_a_phone_everything_fits_and_the_clock_is_one_tap_away() {
    let _turn = turn().await;
    let service = Service::start().await;
    for to in [PHONE, "a-rather-long-mailbox-name.for-a-narrow-screen@example.com"] {
        service.verify(to).await;
    }
    let page = Browser::open(Screen::Phone, &service.url).await;
    page.counts(".message", 2).await;
    // Not `innerWidth`: a phone zooms out until everything fits.
    let overflow =
        "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth";
    assert_eq!(page.client.execute(overflow, vec![]).await.unwrap(), 0);
    page.counts("[data-push]", 0).await;
    page.picture("inbox-phone-dark").await;
    page.click("#clock summary").await;
    page.counts("[data-push]", 5).await;

    page.click("nav [href='/docs']").await;
    page.find(".api .sample").await;
    assert_eq!(page.client.execute(overflow, vec![]).await.unwrap(), 0);
    page.picture("try-phone-dark").await;
    page.close().await;
}

#[tokio::test]
async fn a_command_is_shown_for_every_api_and_can_be_copied() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &format!("{}/docs", service.url)).await;
    let samples = service.call("GET", "/dev/samples", &json!(null)).await.body;
    let samples = samples.as_array().unwrap();
    assert!(!samples.is_empty());
    page.counts(".api .sample", samples.len()).await;
    page.reads(".api .sample .title", samples[0]["title"].as_str().unwrap()).await;
    page.reads(".api .sample pre", samples[0]["curl"].as_str().unwrap()).await;
    page.click(".api .sample .copy").await;
    page.reads(".api .sample .copy", "Copied").await;
    page.picture("try-desktop-light").await;
    page.close().await;
}

#[tokio::test]
async fn an_open_page_does_not_keep_the_program_from_leaving() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.reads("#live", "Live").await;
    // Less than the time that requests under way are given.
    assert!(service.leave().await < Duration::from_secs(15));
    page.reads("#live", "Reconnecting…").await;
    page.close_after(&["net::ERR_"]).await; // there is nobody to reconnect to
}

/// The harness itself: every other test relies on it.
#[tokio::test]
async fn an_error_that_a_page_makes_is_seen() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    assert_eq!(page.errors().await, [""; 0]);
    for broken in
        ["setTimeout(() => nobodyDefinedThis())", "console.error('on purpose')", "fetch('/nowhere')"]
    {
        page.client.execute(broken, vec![]).await.unwrap();
        let mut errors = Vec::new();
        for _ in 0..100 {
            errors = page.errors().await;
            if !errors.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(errors.len(), 1, "{broken}: {errors:?}");
    }
    page.close().await;
}

#[tokio::test]
async fn coming_back_to_the_page_draws_its_command_anew() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    page.find("#first-sample pre").await;
    page.client.execute("document.querySelector('#first-sample').replaceChildren()", vec![]).await.unwrap();
    page.client.execute("document.dispatchEvent(new Event('visibilitychange'))", vec![]).await.unwrap();
    page.find("#first-sample pre").await;
    service.call("POST", "/dev/clock", &json!({"advance_seconds": 60})).await;
    page.reads("#drift", "1 min ahead of this computer").await;
    page.close().await;
}

#[tokio::test]
async fn a_code_that_is_good_for_nothing_looks_dead() {
    let _turn = turn().await;
    let service = Service::start().await;
    let page = Browser::open(Screen::Desktop, &service.url).await;
    let numbers = ["+12125550123", "+12125550124", "+12125550125", "+12125550126"];
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(service.verify(number).await);
    }
    page.counts(".message", 4).await;
    page.counts(".message[data-dead]", 0).await;
    let code_for = async |number: &str| {
        let inbox = service.inbox().await;
        inbox.iter().find(|message| message["to"] == number).unwrap()["code"].as_str().unwrap().to_owned()
    };
    let check = async |id: &str, code: &str| {
        service.call("POST", &format!("/v1/verifications/{id}/check"), &json!({ "code": code })).await
    };

    let card = |number: &str, part: &str| {
        let at = numbers.iter().rev().position(|other| *other == number).unwrap() + 1;
        format!(".message:nth-child({at}) {part}")
    };
    let right = code_for(numbers[1]).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    check(&ids[1], wrong).await;
    page.says(&card(numbers[1], ".life"), "4 guesses left").await;
    assert_eq!(check(&ids[1], &right).await.body["valid"], true);
    page.reads(&card(numbers[1], ".life"), "code used").await;
    service.call("POST", &format!("/v1/verifications/{}/cancel", ids[2]), &json!({})).await;
    page.reads(&card(numbers[2], ".life"), "verification canceled").await;
    let code = code_for(numbers[3]).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        check(&ids[3], wrong).await;
    }
    page.reads(&card(numbers[3], ".life"), "no guesses left").await;
    page.counts(".message[data-dead]", 3).await;
    page.reads(&card(numbers[1], "[data-kind='state'] b"), "used").await;
    page.picture("inbox-states-desktop-light").await;
    page.close().await;

    let page = Browser::open(Screen::DesktopDark, &service.url).await;
    page.counts(".message[data-dead]", 3).await;
    page.picture("inbox-states-desktop-dark").await;
    page.close().await;
}

/// How much the text of the page stands out: at least 4.5 is asked for (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: &str = r#"
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
      const part = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = (node) => {
      for (; node; node = node.parentElement) {
        const color = parse(getComputedStyle(node).backgroundColor);
        if (color.length === 3 || color[3] === 1) return color;
      }
      return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("h1, p, li, dt, dd, code, a, b, span, h2, button, time")];
    const seen = texts.filter((node) => node.checkVisibility() && node.innerText.trim());
    return Math.min(...seen.map((node) => {
      const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
"#;

#[tokio::test]
async fn every_page_can_be_read_by_day_and_by_night() {
    let _turn = turn().await;
    let service = Service::start().await;
    service.verify(PHONE).await;
    for (screen, name) in [(Screen::Desktop, "light"), (Screen::DesktopDark, "dark")] {
        let page = Browser::open(screen, &service.url).await;
        page.counts(".message", 1).await;
        for path in ["/", "/docs", "/problems", "/problems/cool-down"] {
            page.client.goto(&format!("{}{path}", service.url)).await.unwrap();
            page.find("h1").await;
            let contrast = page.client.execute(LEAST_CONTRAST, vec![]).await.unwrap();
            assert!(contrast.as_f64().is_some_and(|contrast| contrast >= 4.5), "{path} {name}: {contrast}");
        }
        page.picture(&format!("problem-desktop-{name}")).await;
        page.close().await;
    }
}
