#![allow(clippy::unwrap_used)]

use super::*;

fn device(name: &str) -> Address {
    name.parse().unwrap()
}

fn on(local: &str) -> HaState {
    HaState { enabled: true, local: Some(local.to_owned()), ..HaState::off() }
}

fn member(name: &str, state: Result<HaState, &str>) -> HaMember {
    let error = Error::Unreachable { cause: String::new() };
    HaMember { device: device(name), state: state.map_err(|why| unknown(Some(&error), &why)) }
}

fn chosen(states: &[&str]) -> Result<Choice, String> {
    let names = ["fw1", "fw2"];
    let members: Vec<HaMember> =
        names.iter().zip(states).map(|(name, state)| member(name, Ok(on(state)))).collect();
    choose(&members).map_err(|error| error.to_string())
}

#[test]
fn the_active_one_of_a_pair_is_chosen_whatever_it_calls_that() {
    for (states, at) in [
        (["active", "passive"], 0),
        (["passive", "active"], 1),
        (["Passive", "ACTIVE"], 1),
        (["active-primary", "active-secondary"], 0),
        (["active-secondary", "active-primary"], 1),
        (["primary-active", "secondary-passive"], 0),
        (["primary-passive", "secondary-active"], 1),
        (["suspended", " active "], 1),
    ] {
        assert_eq!(chosen(&states), Ok(Choice::Active(at)), "{states:?}");
        assert_eq!(choose(&[member("fw", Ok(on(states[at])))]), Ok(Choice::Active(0)), "{states:?}");
    }
}

#[test]
fn all_other_states_are_not_active() {
    for state in [
        "passive",
        "active-secondary",
        "primary-passive",
        "secondary-passive",
        "initial",
        "tentative",
        "non-functional",
        "suspended",
        "inactive",
        "unknown",
        "",
    ] {
        assert!(choose(&[member("fw1", Ok(on(state)))]).is_err(), "{state}");
        assert_eq!(chosen(&[state, "active"]), Ok(Choice::Active(1)), "{state}");
    }
    let silent = HaState { enabled: true, ..HaState::off() };
    assert_eq!(
        choose(&[member("fw1", Ok(silent))]).unwrap_err().to_string(),
        "the active member of the HA pair is not known: fw1 does not report its HA state, and names no address of an HA peer; its HA peer was not asked"
    );
}

#[test]
fn a_member_that_gives_no_answer_leaves_the_choice_to_the_other_one() {
    let gone = || member("fw1", Err("no connection: Connection refused"));
    assert_eq!(choose(&[gone(), member("fw2", Ok(on("active")))]), Ok(Choice::Active(1)));
    assert_eq!(choose(&[member("fw2", Ok(on("active"))), gone()]), Ok(Choice::Active(0)));
    assert_eq!(
        choose(&[gone(), member("fw2:8443", Ok(on("passive")))]).unwrap_err().to_string(),
        "no member of the HA pair is active: fw1 did not respond (no connection: Connection refused), fw2:8443 is 'passive'"
    );
    // Alone it is no member of anything.
    assert!(choose(&[gone(), member("fw2", Ok(HaState::off()))]).is_err());
}

#[test]
fn two_that_both_say_they_are_active_are_left_alone() {
    assert_eq!(
        chosen(&["active", "active"]),
        Err("more than one member of the HA pair says that it is active: fw1 is 'active', fw2 is 'active'"
            .into())
    );
}

#[test]
fn a_device_without_high_availability_is_configured_as_it_is() {
    // The rest may be filled in even where it is off.
    let off = HaState { enabled: false, ..on("passive") };
    assert_eq!(choose(&[member("fw1", Ok(off.clone()))]), Ok(Choice::Plain(0)));
    assert_eq!(choose(&[member("fw1", Ok(off)), member("fw2", Ok(on("active")))]), Ok(Choice::Plain(0)));
    assert_eq!(Choice::Plain(0).index() + Choice::Active(1).index(), 1);
}

#[test]
fn nobody_is_no_pair() {
    assert!(choose(&[]).is_err());
}

#[test]
fn a_device_that_does_not_know_the_question_has_no_high_availability() {
    use panos_xmlapi::{Operation, Refusal};
    let refused = |reason| {
        let (operation, lines) = (Operation::Op("show high-availability state"), Vec::new());
        HaMember::new(&device("fw1"), Err(Refusal { operation, reason, code: None, lines }.into()))
    };
    assert_eq!(choose(&[refused(Reason::Invalid)]), Ok(Choice::Plain(0)));
    assert_eq!(choose(&[refused(Reason::UnknownCommand)]), Ok(Choice::Plain(0)));
    assert!(choose(&[refused(Reason::InvalidKey)]).is_err());
}

#[test]
fn the_peer_is_found_by_its_address_and_the_same_port() {
    let peer = |address: &str| {
        let state = HaState { peer_address: Some(address.to_owned()), ..on("passive") };
        member("fw1:8443", Ok(state)).peer().map(|peer| peer.to_string())
    };
    assert_eq!(peer("192.0.2.2/24").as_deref(), Some("192.0.2.2:8443"));
    assert_eq!(peer("192.0.2.2").as_deref(), Some("192.0.2.2:8443"));
    assert_eq!(peer("2001:db8::2/64").as_deref(), Some("[2001:db8::2]:8443"));
    assert_eq!(peer("dhcp"), None);
    assert_eq!(member("fw1", Ok(on("passive"))).peer(), None);
    assert_eq!(member("fw1", Err("gone")).peer(), None);
    let off = HaState { peer_address: Some("192.0.2.2".into()), ..HaState::off() };
    assert_eq!(member("fw1", Ok(off)).peer(), None);
}

#[test]
fn the_words_of_a_device_are_compared_in_any_case() {
    let said = |words: &str, connection: &str| {
        let state = HaState {
            running_sync: Some(words.to_owned()),
            peer_connection: Some(connection.to_owned()),
            ..on("active")
        };
        HaSync::of(&state)
    };
    assert!(matches!(said("Synchronized", "up"), HaSync::Done));
    assert!(matches!(said("Not Synchronized", "up"), HaSync::Idle));
    assert!(matches!(said("not synchronized", "Down"), HaSync::Cut));
    assert!(matches!(said("Synchronization In Progress", "down"), HaSync::Moving));
    let disabled = HaState { running_sync_enabled: Some("no".into()), ..on("active") };
    assert!(matches!(HaSync::of(&disabled), HaSync::Off));
}
