//! Windows and canaries with which nothing could ever be delivered are refused by name.

use super::{another_day, certctl, install, section, write};
use crate::common::world::World;

#[test]
fn what_can_never_be_delivered_is_no_valid_configuration() {
    let world = World::new();
    for (text, says) in [
        (
            "[group.a]\ndevices = ['fw1', 'fw2']\ncanary = ['fw1']\n\
             [group.b]\ndevices = ['fw1', 'fw2']\ncanary = ['fw2']\n",
            "canary: fw1 waits for fw2 (group 'b'), and fw2 for fw1 (group 'a')",
        ),
        (
            "[group.a]\ndevices = ['fw1', 'fw2']\ncanary = ['fw1']\n\
             [group.b]\ndevices = ['fw2', 'fw3']\ncanary = ['fw2']\n\
             [group.c]\ndevices = ['fw3', 'fw1']\ncanary = ['fw3']\n",
            "canary: fw1 waits for fw3 (group 'c'), fw3 for fw2 (group 'b'), and fw2 for fw1 (group 'a')",
        ),
        (
            "[group.a]\ndevices = ['fw1']\nwindow = ['Mon 20:00-22:00']\n\
             [group.b]\ndevices = ['fw1']\nwindow = ['Tue 20:00-22:00']\n",
            "window: fw1 is in the groups 'a' and 'b', whose windows are never open together",
        ),
        ("[group.a]\ndevices = ['fw1', 'FW1']\n", "line 2, column 19: devices: 'FW1' is named twice"),
        (
            "[target.x]\ndevice = 'fw1'\n[group.a]\ndevices = ['fw1']\ntargets = ['x']\n",
            "line 5, column 12: targets: fw1 and fw1 (target 'x') are the same place",
        ),
    ] {
        write(&world, text);
        certctl(&world, &["check"]).exits(1).says(says);
    }
    for text in [
        // The section's own window counts, whatever the groups say.
        "[device.fw1]\nwindow = ['Mon']\n[group.a]\ndevices = ['fw1']\nwindow = ['Mon']\n\
         [group.b]\ndevices = ['fw1']\nwindow = ['Tue']\n",
        // One minute of the week, over midnight.
        "[group.a]\ndevices = ['fw1']\nwindow = ['Sun 23:00-00:01']\n\
         [group.b]\ndevices = ['fw1']\nwindow = ['Mon 00:00-01:00']\n",
        "[target.x]\ndevice = 'fw1'\nvsys = 'vsys2'\n[group.a]\ndevices = ['fw1']\ntargets = ['x']\n",
        // Canaries of two groups, and nobody waits for itself.
        "[group.a]\ndevices = ['fw1', 'fw2']\ncanary = ['fw1']\n\
         [group.b]\ndevices = ['fw2', 'fw3']\ncanary = ['fw2']\n",
    ] {
        write(&world, text);
        let ended = certctl(&world, &["check"]);
        assert!(!ended.stderr.contains("line "), "{ended:#?}");
    }
}

#[test]
fn a_group_that_lists_a_device_counts_for_the_targets_on_it() {
    let world = World::new();
    let target = world.target();
    let named = format!("[target.x]\ndevice = \"{target}\"\n");
    let group = format!("[group.a]\ndevices = [\"{target}\"]\nwindow = [\"{}\"]\n", another_day());
    write(&world, &format!("{}{named}{group}", section(&world.device)));
    install(&world, &["--target", "x"]).exits(21).says("the change window");
    // What stands in the target's own section comes first, as ever.
    write(&world, &format!("{}{named}window = []\n{group}", section(&world.device)));
    install(&world, &["--target", "x"]).exits(0);
}
