//! Who is believed who the client is, and who can reach the service.

use crate::support::Installation;

/// Shows: F26.
#[test]
fn f26_check_config_and_serve_speak_of_proxies_that_are_everybody_and_of_public_listeners() {
    let everybody = "server.trusted_proxies = ['0.0.0.0/0']\nserver.listen = '0.0.0.0:0'";
    let installation = Installation::new("");
    let text = std::fs::read_to_string(installation.path("c.toml")).unwrap();
    let configure = |server: &str| {
        installation.configure(&text.replace("server.listen = '127.0.0.1:0'", server));
    };
    configure(everybody);
    let refused = installation.run(&["check-config"], &[]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains(":1:27: server.trusted_proxies[0]: ") && why.contains("trust_any_proxy"), "{why}");
    assert_eq!(installation.run(&["serve"], &[]).status.code(), Some(2));

    configure(&format!("{everybody}\nserver.trust_any_proxy = true"));
    let checked = installation.run(&["check-config"], &[]);
    let said = String::from_utf8_lossy(&checked.stdout);
    let warnings: Vec<&str> = said.lines().filter(|line| line.starts_with("warning: server.")).collect();
    assert!(checked.status.success() && warnings.len() == 2, "{said}");
    let log = installation.serve().stop_and_tell();
    assert!(
        log.contains("no limit per client holds") && log.contains("server.listen: 0.0.0.0:0 can"),
        "{log}"
    );
}
