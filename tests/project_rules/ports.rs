//! No test reckons with a port that it doesn't hold.

/// Whether a listener is made here, asked where it is, and gone: the next one who wants any port may get that one.
fn lets_a_port_go(text: &str) -> bool {
    let one_line: String = text.split_whitespace().collect();
    one_line.split("::bind(").skip(1).any(|after| {
        let statement = after.split(';').next().unwrap_or_default();
        statement.contains(".unwrap().local_addr()") || statement.contains(")?.local_addr()")
    })
}

#[test]
fn no_test_takes_a_free_port_and_lets_it_go() {
    for (path, text) in
        [super::sources("tests"), super::sources("panos-xmlapi/tests"), super::sources("panos-sim")].concat()
    {
        let is_this = path.ends_with("project_rules/ports.rs");
        assert!(is_this || !lets_a_port_go(&text), "{}: another test may get that port", path.display());
    }
}

#[test]
fn the_check_sees_how_it_was_written() {
    let bad =
        "let free = TcpListener::bind(\"127.0.0.1:0\")\n    .unwrap()\n    .local_addr().unwrap().port();";
    let good =
        "let kept = TcpListener::bind(\"127.0.0.1:0\").unwrap();\nlet at = kept.local_addr().unwrap();";
    assert!(lets_a_port_go(bad) && !lets_a_port_go(good));
}
