use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use rehome_core::time::Unix;

use super::pause::{InForce, Pause, Scope, clear_pause, read_pause, write_pause};
use super::*;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

/// A directory of the test's own that goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rehome-store-{}-{count}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Record = BTreeMap<String, u32>;

fn record(generation: u32) -> Record {
    Record::from([("generation".to_owned(), generation), ("attempt".to_owned(), 1)])
}

#[test]
fn a_record_is_there_after_a_restart_and_only_its_owner_may_read_it() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    assert_eq!(store.record::<Record>().unwrap(), None);
    store.save(&record(1), 1).unwrap();
    store.save(&record(2), 2).unwrap();
    drop(store);
    let store = Store::open(&scratch.0, VIP).unwrap();
    assert_eq!(store.record::<Record>().unwrap(), Some(record(2)));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&scratch.0), 0o700);
    assert_eq!(mode(&scratch.file("10.0.0.10.json")), 0o600);
}

#[test]
fn a_record_that_was_cut_off_anywhere_is_refused_and_never_half_believed() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    store.save(&record(7), 7).unwrap();
    let path = scratch.file("10.0.0.10.json");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = store.record::<Record>().unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{length} bytes: {error}");
        assert!(error.hint().contains("rehome adopt"));
    }
    let edited = String::from_utf8(whole).unwrap().replace("7", "8");
    fs::write(&path, edited).unwrap();
    let error = store.record::<Record>().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn a_crash_between_writing_and_renaming_leaves_the_old_record() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    store.save(&record(1), 1).unwrap();
    fs::write(scratch.file(".10.0.0.10.json.new"), "{\"format\":1,").unwrap();
    assert_eq!(store.record::<Record>().unwrap(), Some(record(1)));
    store.save(&record(2), 2).unwrap();
    assert_eq!(store.record::<Record>().unwrap(), Some(record(2)));
}

#[test]
fn a_save_that_fails_says_so_and_leaves_the_old_record() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    store.save(&record(1), 1).unwrap();
    fs::create_dir(scratch.file(".10.0.0.10.json.new")).unwrap();
    assert!(matches!(store.save(&record(2), 2), Err(StoreError::Io { .. })));
    assert_eq!(store.record::<Record>().unwrap(), Some(record(1)));
}

#[test]
fn a_record_of_a_later_version_is_left_alone() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    let path = scratch.file("10.0.0.10.json");
    fs::write(&path, "{\"format\":2,\"sha256\":\"?\",\"more\":true}\n[]").unwrap();
    let error = store.record::<Record>().unwrap_err();
    assert!(matches!(error, StoreError::Newer { format: 2, .. }), "{error}");
}

#[test]
fn a_record_of_an_earlier_version_is_refused_and_a_new_one_proposed() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    fs::write(scratch.file("10.0.0.10.json"), "{\"format\":0,\"sha256\":\"?\"}\n[]").unwrap();
    let error = store.record::<Record>().unwrap_err();
    assert!(matches!(error, StoreError::Older { format: 0, .. }), "{error}");
    assert!(error.hint().contains("rehome adopt"), "{}", error.hint());
}

#[test]
fn a_record_that_is_set_aside_is_never_lost_to_another() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    assert_eq!(store.set_aside().unwrap(), None);
    for text in ["first", "second"] {
        fs::write(scratch.file("10.0.0.10.json"), text).unwrap();
        let aside = store.set_aside().unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
    }
    assert_eq!(fs::read_to_string(scratch.file("10.0.0.10.json.bad-1")).unwrap(), "first");
}

#[test]
fn a_record_longer_than_any_of_ours_is_not_read_into_memory() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.0, VIP).unwrap();
    let file = File::create(scratch.file("10.0.0.10.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(store.record::<Record>(), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_second_keeper_of_a_vip_is_told_who_the_first_is_and_another_vip_is_free() {
    let scratch = Scratch::new();
    let _first = Store::open(&scratch.0, VIP).unwrap();
    let error = Store::open(&scratch.0, VIP).unwrap_err();
    let told = format!("process {} keeps 10.0.0.10 already", std::process::id());
    assert!(error.to_string().starts_with(&told), "{error}");
    Store::open(&scratch.0, Ipv4Addr::new(10, 0, 0, 11)).unwrap();
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(&scratch.0).unwrap();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Store::open(&scratch.0, VIP).unwrap_err();
    assert!(matches!(error, StoreError::Loose { mode: 0o777, .. }), "{error}");
}

#[test]
fn a_file_where_the_directory_should_be_is_an_error_with_its_name() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, "").unwrap();
    let error = Store::open(&scratch.0, VIP).unwrap_err();
    assert!(error.to_string().contains("rehome-store-"), "{error}");
    fs::remove_file(&scratch.0).unwrap();
}

#[test]
fn the_directory_is_the_flags_then_systemds_then_the_users() {
    let all = [("STATE_DIRECTORY", "/s:/t"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
    let chosen = |flag: Option<&str>, from: usize| {
        let set = &all[from..];
        choose(flag.map(Path::new), |name| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(chosen(Some("here"), 0).unwrap(), Path::new("here"));
    assert_eq!(chosen(None, 0).unwrap(), Path::new("/s"));
    assert_eq!(chosen(None, 1).unwrap(), Path::new("/x/rehome"));
    assert_eq!(chosen(None, 2).unwrap(), Path::new("/h/.local/state/rehome"));
    assert!(matches!(chosen(None, 3), Err(StoreError::Nowhere)));
}

fn until(end: u64) -> Pause {
    Pause { until: Unix(end), by: "ann".to_owned(), reason: "upgrade".to_owned() }
}

#[test]
fn of_two_pauses_the_one_that_ends_last_is_in_force_until_it_ends() {
    let scratch = Scratch::new();
    let now = |now| read_pause(&scratch.0, VIP, Unix(now));
    assert_eq!(now(5), None);
    write_pause(&scratch.0, Scope::Vip(VIP), &until(10)).unwrap();
    write_pause(&scratch.0, Scope::All, &until(20)).unwrap();
    assert_eq!(now(5), Some(InForce::Asked(until(20))));
    assert_eq!(now(15), Some(InForce::Asked(until(20))));
    assert_eq!(now(20), None);
    write_pause(&scratch.0, Scope::Vip(VIP), &until(30)).unwrap();
    assert_eq!(now(5), Some(InForce::Asked(until(30))));
    assert!(clear_pause(&scratch.0, Scope::Vip(VIP)).unwrap());
    assert!(!clear_pause(&scratch.0, Scope::Vip(VIP)).unwrap());
    assert_eq!(now(5), Some(InForce::Asked(until(20))));
}

#[test]
fn a_pause_of_another_vip_is_none_of_ours() {
    let scratch = Scratch::new();
    let other = Scope::Vip(Ipv4Addr::new(10, 0, 0, 11));
    write_pause(&scratch.0, other, &until(10)).unwrap();
    assert_eq!(read_pause(&scratch.0, VIP, Unix(1)), None);
}

#[test]
fn a_pause_file_that_says_nothing_clear_pauses_until_it_is_gone() {
    let scratch = Scratch::new();
    prepare(&scratch.0).unwrap();
    let path = scratch.file("10.0.0.10.pause.json");
    for text in ["", "{}", "{\"until\":\"tomorrow\"}", "\u{0}"] {
        fs::write(&path, text).unwrap();
        match read_pause(&scratch.0, VIP, Unix(u64::MAX)) {
            Some(InForce::Unclear { path: named, .. }) => assert_eq!(named, path),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert!(clear_pause(&scratch.0, Scope::Vip(VIP)).unwrap());
    assert_eq!(read_pause(&scratch.0, VIP, Unix(1)), None);
}
