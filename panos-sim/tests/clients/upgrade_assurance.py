"""Drives simulated devices with panos-upgrade-assurance; every step is checked, the first failure ends it.

Arguments: ADDRESS:PORT of a firewall that nobody manages and that has the certificate vpn-1, and of one that a
Panorama manages.
"""

import sys
from datetime import datetime, timedelta, timezone

import pan.xapi
from panos_upgrade_assurance.check_firewall import CheckFirewall
from panos_upgrade_assurance.firewall_proxy import FirewallProxy
from panos_upgrade_assurance.utils import CheckStatus


def connect(address):
    host, port = address.rsplit(":", 1)
    return FirewallProxy(hostname=host, port=int(port), api_username="admin", api_password="admin", vsys="vsys1")


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED {what}: got {got!r}, wanted {wanted!r}")
    print(f"ok {what}")


def main(plain_at, managed_at):
    node = connect(plain_at)
    firewall = CheckFirewall(node, skip_force_locale=True)
    check("version", str(node.get_device_software_version()), "11.1.4")
    check("no pending changes", node.is_pending_changes(), False)
    check("full commit", node.is_full_commit_required(), False)
    check("no Panorama", node.is_panorama_configured(), False)
    check("HA", node.get_ha_configuration(), {"enabled": "no"})
    # Only the automatic commit of the start.
    jobs = node.get_jobs()
    check("first job", [(number, job["type"], job["result"]) for number, job in jobs.items()],
          [("1", "AutoCom", "OK")])
    check("no job runs", firewall.check_non_finished_jobs().status, CheckStatus.SUCCESS)
    # Newer Pythons complain of `utcnow`.
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    check("clock", abs(node.get_mp_clock() - now) < timedelta(minutes=5), True)
    check("uptime", node.get_system_time_rebooted() <= datetime.now(), True)
    node.xapi.set("/config/shared/address/entry[@name='printer']", "<ip-netmask>192.0.2.7</ip-netmask>")
    check("pending changes", node.is_pending_changes(), True)
    check("check of pending changes", firewall.check_pending_changes().status, CheckStatus.FAIL)
    check("commit", node.commit(sync=True, exception=True)["result"], "OK")
    check("no pending changes any more", node.is_pending_changes(), False)
    found = node.get_certificates()
    check("certificate", {name: (one["common-name"], one["algorithm"]) for name, one in found.items()},
          {"vpn-1": ("vpn.example.test", "RSA")})
    check("no key is handed on", "private-key" in found["vpn-1"], False)
    check("requirements", firewall.check_ssl_cert_requirements().status, CheckStatus.SUCCESS)
    strict = firewall.check_ssl_cert_requirements(rsa={"key_size": 4096})
    check("stricter requirements", (strict.status, "vpn-1" in strict.reason), (CheckStatus.FAIL, True))
    check("jobs", [job["type"] for job in node.get_jobs().values()], ["Commit", "AutoCom"])

    check("no locks", (node.get_config_locks(), node.get_commit_locks()), ([], []))
    node.add_config_lock()
    node.add_commit_lock(comment="upgrade")
    check("config lock", [(lock["@name"], lock["type"], lock["comment"]) for lock in node.get_config_locks()],
          [("admin", "shared", "(null)")])
    check("commit lock", [lock["comment"] for lock in node.get_commit_locks()], ["upgrade"])
    check("check of locks", firewall.check_config_locks().status, CheckStatus.FAIL)
    node.remove_config_lock()
    node.remove_commit_lock()

    entry = "/config/shared/certificate/entry[@name='vpn-1']"
    check("read back", node.get_parser(entry)["entry"]["common-name"], "vpn.example.test")
    try:
        node.get_parser("/config/shared/certificate/entry[contains(@name, 'vpn')]")
        sys.exit("FAILED an XPath the device does not understand is taken for one that finds nothing")
    except pan.xapi.PanXapiError as error:
        check("an XPath that is not understood", "does not understand" in str(error), True)

    managed = connect(managed_at)
    check("managed", managed.is_panorama_configured(), True)
    check("connected", managed.is_panorama_connected(), True)
    without = CheckFirewall(managed, skip_force_locale=True).check_ssl_cert_requirements()
    check("no certificates", without.status, CheckStatus.SKIPPED)
    check("Panorama", CheckFirewall(managed, skip_force_locale=True).check_panorama_connectivity().status, CheckStatus.SUCCESS)


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("all well")
