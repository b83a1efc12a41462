"""Drives simulated devices with pan-os-python; every step is checked, the first failure ends it.

Arguments: ADDRESS:PORT of the active and of the passive device of a pair.
"""

import sys

from panos import device, errors, firewall, objects
import pan.xapi


def connect(address, **credentials):
    host, port = address.rsplit(":", 1)
    return firewall.Firewall(host, port=int(port), **credentials)


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED {what}: got {got!r}, wanted {wanted!r}")
    print(f"ok {what}")


def refuses(what, kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        print(f"ok {what}: {error}")
        return str(error)
    sys.exit(f"FAILED {what}: not refused")


def main(active_at, passive_at):
    fw = connect(active_at, api_username="admin", api_password="admin")
    key = fw.api_key
    fw = connect(active_at, api_key=key)
    check("system information", fw.refresh_system_info(), ("11.1.4", "PA-440", "001900000000001"))
    check("version", fw.get_device_version(), (11, 1, 4))
    check("multi-vsys", fw.multi_vsys, False)
    check("whoami", fw.whoami(), "admin")
    check("readiness", fw.is_ready(seconds=5), True)
    refuses(
        "a wrong password",
        errors.PanURLError,
        lambda: connect(active_at, api_username="admin", api_password="no").api_key,
    )
    refuses(
        "a wrong key",
        errors.PanURLError,
        connect(active_at, api_key="nonsense").refresh_system_info,
    )

    check("no pending changes", fw.pending_changes(), False)
    check("nothing to commit", fw.commit(sync=True), None)
    refuses(
        "nothing to commit, as an error",
        errors.PanCommitNotNeeded,
        fw.commit,
        sync=True,
        exception=True,
    )

    address = objects.AddressObject("printer-7", "192.0.2.7", description="a & b <c>")
    fw.add(address)
    address.create()
    check("pending changes", fw.pending_changes(), True)
    found = objects.AddressObject.refreshall(connect(active_at, api_key=key))
    check("read back", [(a.name, a.value, a.description) for a in found],
          [("printer-7", "192.0.2.7", "a & b <c>")])
    address.value = "192.0.2.8"
    address.apply()
    result = fw.commit(sync=True, exception=True)
    check("commit", (result["success"], result["result"]), (True, "OK"))
    check("committed", fw.pending_changes(), False)

    # Only the changes of the administrators named.
    address.description = "changed"
    address.apply()
    check("partial commit, other administrator", fw.commit(sync=True, admins="jane"), None)
    wish = firewall.FirewallCommit(description="mine", admins=["admin"])
    check("partial commit", fw.commit(sync=True, cmd=wish)["success"], True)

    # A profile without protocol settings is found at the commit.
    fw.xapi.set("/config/shared/ssl-tls-service-profile/entry[@name='typo']",
                "<certificate>none</certificate>")
    result = fw.commit(sync=True)
    check("failed commit", (result["success"], result["result"]), (False, "FAIL"))
    check("its reason", any("is missing 'protocol-settings'" in m for m in result["messages"]), True)
    refuses("failed commit, as an error", errors.PanCommitFailed, fw.commit,
            sync=True, exception=True)
    fw.revert_to_running_configuration()
    check("reverted", fw.pending_changes(), False)

    check("no commit lock", fw.check_commit_locks(), False)
    fw.add_commit_lock(comment="maintenance")
    check("commit lock", fw.check_commit_locks(), True)
    refuses("a second commit lock", errors.PanLockError, fw.add_commit_lock)
    fw.remove_commit_lock()
    check("commit lock removed", fw.check_commit_locks(), False)
    refuses("removing what is not held", errors.PanLockError, fw.remove_commit_lock)
    fw.add_config_lock()
    check("config lock", fw.check_config_locks(), True)
    refuses("a second config lock", errors.PanLockError, fw.add_config_lock)
    fw.remove_all_locks()
    check("all locks removed", (fw.check_config_locks(), fw.check_commit_locks()), (False, False))

    address.rename("printer-9")
    check("rename", objects.AddressObject.refreshall(fw, add=False)[0].name, "printer-9")
    address.delete()
    check("delete", objects.AddressObject.refreshall(fw, add=False), [])
    check("commit of both", fw.commit(sync=True)["success"], True)

    # High availability: the helpers choose the active device themselves.
    passive = connect(passive_at, api_key=key)
    fw.set_ha_peers(passive)
    check("state of the first", fw.refresh_ha_active(), "active")
    check("state of the second", passive.refresh_ha_active(), "passive")
    check("who is active", (fw.is_active(), passive.is_active()), (True, False))
    check("not in step", passive.config_synced(), False)
    check("sync state", passive.config_sync_state(), "not synchronized")
    check("synchronise", passive.synchronize_config(), True)
    check("in step", fw.config_synced(), True)
    check("again is nothing", fw.synchronize_config(), True)
    system = device.SystemSettings.refreshall(passive)[0]
    check("the peer keeps its own settings", system.hostname, "fw-sim-2")
    fw.op("request high-availability state suspend")
    check("failed over", fw.refresh_ha_active(), "suspended")
    check("who is active now", passive.is_active(), True)
    # The framework takes the device's answer to a restart for what it is.
    passive.restart()
    check("the module's error is the base library's",
          issubclass(errors.PanDeviceXapiError, pan.xapi.PanXapiError), True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("all well")
