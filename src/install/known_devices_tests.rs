#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn print(of: u8) -> Fingerprint {
    Fingerprint::of_der(&[of])
}

fn device(name: &str) -> Address {
    name.parse().unwrap()
}

/// A state directory whose file holds this.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), text).unwrap();
    allow(&folder, 0o644);
    folder
}

fn allow(folder: &tempfile::TempDir, mode: u32) {
    fs::set_permissions(folder.path().join(NAME), fs::Permissions::from_mode(mode)).unwrap();
}

fn text(folder: &tempfile::TempDir) -> String {
    fs::read_to_string(folder.path().join(NAME)).unwrap()
}

#[test]
fn a_device_is_found_by_name_and_port_in_any_spelling() {
    let (one, two, three) = (print(1), print(2), print(3));
    let text = format!("# firewalls\n\nFW1.example.com {}\nfw1:8443\t {two} \r\n[::1] {three}", one.colons());
    let known = KnownDevices::load(folder(&text).path()).unwrap();
    assert_eq!(known.pin_of(&device("fw1.example.com:443")), Some(one));
    assert_eq!(known.pin_of(&device("FW1:8443")), Some(two));
    assert_eq!(known.pin_of(&device("[0:0::1]")), Some(three));
    assert_eq!(known.pin_of(&device("fw1")), None);
}

#[test]
fn where_there_is_no_file_nobody_is_known_and_the_first_one_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut known = KnownDevices::load(&state).unwrap();
    assert_eq!(known.pin_of(&device("fw1")), None);
    known.remember(&device("fw1:8443"), print(1), None, &[]).unwrap();
    assert_eq!(known.pin_of(&device("fw1:8443")), Some(print(1)));
    let again = KnownDevices::load(&state).unwrap();
    assert_eq!(again.pin_of(&device("fw1:8443")), Some(print(1)));
    assert_eq!(fs::read_to_string(state.join(NAME)).unwrap(), format!("fw1:8443 {}\n", print(1)));
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn remembering_changes_the_devices_line_and_no_other_one() {
    let (one, two, new) = (print(1), print(2), print(3));
    let folder = folder(&format!("# a\n  # b\n\nFW1 {}\n\nfw2  {two}", one.colons()));
    let mut known = KnownDevices::load(folder.path()).unwrap();
    known.remember(&device("fw1"), new, None, &[]).unwrap();
    known.remember(&device("fw3"), one, None, &[]).unwrap();
    assert_eq!(text(&folder), format!("# a\n  # b\n\nfw1 {new} pinned={one}\n\nfw2  {two}\nfw3 {one}\n"));
    assert_eq!(known.pin_of(&device("fw1")), Some(new));
}

#[test]
fn what_was_before_stays_beside_it_until_the_device_shows_it_again() {
    let (old, new, newer) = (print(1), print(2), print(3));
    let folder = folder(&format!("fw1 {old}\nfw2 {old}\n"));
    let mut known = KnownDevices::load(folder.path()).unwrap();
    let fw1 = device("fw1");
    known.remember(&fw1, new, Some(old), &[]).unwrap();
    assert_eq!(text(&folder), format!("fw1 {new} before={old}\nfw2 {old}\n"));
    let mut known = KnownDevices::load(folder.path()).unwrap();
    assert_eq!((known.pin_of(&fw1), known.pins_of(&fw1)), (Some(new), vec![new, old]));
    assert_eq!(known.pins_of(&device("fw2")), [old]);
    // What it shows now, or nobody has ever heard of, is no way back.
    for shown in [new, newer] {
        assert!(!known.fall_back(&fw1, shown).unwrap());
    }
    assert!(known.fall_back(&fw1, old).unwrap());
    assert_eq!(text(&folder), format!("fw1 {old}\nfw2 {old}\n"));
    assert_eq!(known.pins_of(&fw1), [old]);
    // The one before that opens no door any more, nor does any after a person's word.
    known.remember(&fw1, new, Some(old), &[]).unwrap();
    known.remember(&fw1, newer, Some(new), &[]).unwrap();
    assert_eq!(known.pins_of(&fw1), [newer, new]);
    known.remember(&fw1, newer, None, &[]).unwrap();
    assert_eq!(text(&folder), format!("fw1 {newer} pinned={old},{new}\nfw2 {old}\n"));
    known.remember(&fw1, newer, Some(newer), &[]).unwrap();
    assert_eq!(known.pins_of(&fw1), [newer]);
    assert_eq!(known.all_with(old).collect::<Vec<_>>(), [&device("fw2")]);
}

#[test]
fn who_still_says_an_earlier_one_means_the_device_and_who_says_another_one_does_not() {
    let prints: Vec<Fingerprint> = (0..20).map(print).collect();
    let folder = folder(&format!("fw1 {}\n", prints[0]));
    let fw1 = device("fw1");
    let mut known = KnownDevices::load(folder.path()).unwrap();
    let besides = |known: &KnownDevices, said| known.besides(said, &fw1);
    assert_eq!(besides(&known, None), [prints[0]]);
    assert_eq!(besides(&known, Some(prints[0])), [prints[0]]);
    // Renewed again and again: who named the first one, and who named the third in between, go on.
    for now in 1..20 {
        let said: &[Fingerprint] = if now == 4 { &[prints[2]] } else { &[] };
        known.remember(&fw1, prints[now], Some(prints[now - 1]), said).unwrap();
        known = KnownDevices::load(folder.path()).unwrap();
        assert_eq!(besides(&known, Some(prints[0])), [prints[now], prints[now - 1]], "{now}");
        assert_eq!(besides(&known, Some(print(99))), []);
    }
    assert_eq!(besides(&known, Some(prints[2])), [prints[19], prints[18]]);
    // What is known of another certificate of the device is no successor of the one that was said.
    known.remember(&fw1, print(50), Some(print(49)), &[print(49)]).unwrap();
    assert_eq!(besides(&known, Some(print(49))), [print(50), print(49)]);
    assert_eq!(besides(&known, Some(prints[0])), []);
    // A person's word says that it is the same device. No line grows without end.
    for now in 60..80 {
        known.remember(&fw1, print(now), None, &[print(30)]).unwrap();
        known = KnownDevices::load(folder.path()).unwrap();
        assert_eq!(besides(&known, Some(print(30))), [print(now)]);
        assert_eq!(besides(&known, Some(print(29))), []);
    }
    assert!(text(&folder).len() < 400, "{}", text(&folder));
}

#[test]
fn what_is_known_already_is_not_written_again() {
    let folder = folder(&format!("fw1 {}", print(1).colons()));
    let before = text(&folder);
    KnownDevices::load(folder.path()).unwrap().remember(&device("fw1"), print(1), None, &[]).unwrap();
    assert_eq!(text(&folder), before);
}

#[test]
fn what_others_have_written_since_is_kept_even_when_many_write_at_once() {
    let folder = folder("# kept\n");
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let folder = folder.path();
            scope.spawn(move || {
                let mut known = KnownDevices::load(folder).unwrap();
                for number in 0..8 {
                    let name = device(&format!("fw{writer}-{number}.example.com"));
                    known.remember(&name, print(writer), None, &[]).unwrap();
                }
            });
        }
    });
    let known = KnownDevices::load(folder.path()).unwrap();
    for writer in 0..8_u8 {
        for number in 0..8 {
            let name = device(&format!("fw{writer}-{number}.example.com"));
            assert_eq!(known.pin_of(&name), Some(print(writer)), "{name}");
        }
    }
    assert!(text(&folder).starts_with("# kept\n"));
}

#[test]
fn a_bad_line_is_named_with_its_number_and_nothing_is_written() {
    let pin = print(1);
    for (line, words) in [
        ("fw1".to_owned(), "is not 'FQDN[:PORT] SHA256'"),
        (format!("fw1 {pin} twice"), "is not 'FQDN[:PORT] SHA256'"),
        (format!("fw1 {pin} before={pin} twice"), "is not 'FQDN[:PORT] SHA256'"),
        (format!("fw1 {pin} before="), "is not a SHA-256 fingerprint"),
        (format!("fw1 {pin} before={pin}0"), "is not a SHA-256 fingerprint"),
        (format!("fw 1 {pin}"), "is not 'FQDN[:PORT] SHA256'"),
        (format!("fw1:0 {pin}"), "is not a valid device name"),
        ("fw1 abcd".to_owned(), "is not a SHA-256 fingerprint"),
        (format!("FW0:443 {pin}"), "line 2 names fw0 as well"),
        ("\u{1b}[2Jx".to_owned(), "'\\u{1b}[2Jx'"),
    ] {
        let whole = format!("# first\nfw0 {pin}\n{line}\n");
        let folder = folder(&whole);
        let error = KnownDevices::load(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("line 3 of ") && error.contains(words), "{line}: {error}");
        assert!(!error.contains('\u{1b}'));
        let mut before = KnownDevices { path: folder.path().join(NAME), lines: Vec::new() };
        assert!(before.remember(&device("fw9"), pin, None, &[]).is_err(), "{line}");
        assert_eq!(text(&folder), whole);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), b"\n\xff\n").unwrap();
    allow(&folder, 0o600);
    assert!(KnownDevices::load(folder.path()).unwrap_err().to_string().contains("line 2 of"));
}

#[test]
fn a_file_that_others_can_change_or_own_is_not_believed() {
    let folder = folder(&format!("fw1 {}\n", print(1)));
    let owner = fs::metadata(folder.path().join(NAME)).unwrap().uid();
    for (mode, believed) in [(0o644, true), (0o600, true), (0o620, false), (0o602, false)] {
        allow(&folder, mode);
        let loaded = KnownDevices::load_as(folder.path(), owner);
        assert_eq!(loaded.is_ok(), believed, "{mode:o}");
        let refused = matches!(loaded, Err(KnownDevicesError::Open { mode: found, .. }) if found == mode);
        assert_eq!(refused, !believed, "{mode:o}");
    }
    allow(&folder, 0o600);
    // Root can give the file away; whoever else runs this plays its owner's neighbour.
    let (owner, caller) = if owner == 0 { (12_345, 12_346) } else { (owner, owner + 1) };
    std::os::unix::fs::chown(folder.path().join(NAME), Some(owner), None).unwrap();
    let refused = KnownDevices::load_as(folder.path(), caller);
    assert!(matches!(refused, Err(KnownDevicesError::Owner { .. })), "{refused:?}");
    assert!(KnownDevices::load_as(folder.path(), owner).is_ok());
}

#[test]
fn what_is_no_file_or_far_too_large_is_told_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let problem = || KnownDevices::load(folder.path()).unwrap_err().to_string();
    fs::create_dir(&path).unwrap();
    assert!(problem().contains("it is a directory"), "{}", problem());
    fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(problem().contains("it is a FIFO"), "{}", problem());
    fs::remove_file(&path).unwrap();
    fs::write(&path, vec![b'\n'; LIMIT + 1]).unwrap();
    assert!(problem().contains("the file is too large"), "{}", problem());
}
