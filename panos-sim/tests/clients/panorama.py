"""Drives a simulated Panorama with pan-os-python; every step is checked, the first failure ends it.

Arguments: ADDRESS:PORT of the Panorama, and the serial number of a firewall that it manages and that is connected.
"""

import sys

from panos import device, errors, firewall, panorama


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED {what}: got {got!r}, wanted {wanted!r}")
    print(f"ok {what}")


def main(address, serial):
    host, port = address.rsplit(":", 1)
    pano = panorama.Panorama(host, "admin", "admin", port=int(port))
    check("system information", pano.refresh_system_info(), ("11.2.5-h1", "Panorama", "000710000001"))

    found = pano.refresh_devices(expand_vsys=False, include_device_groups=False)
    check("firewalls", [(one.serial, one.state.connected) for one in found], [(serial, True)])
    groups = pano.refresh_devices(add=True)
    check("device groups", [(one.name, [fw.serial for fw in one.children]) for one in groups], [("offices", [serial])])
    stacks = panorama.TemplateStack.refreshall(pano)
    check("stack", [(one.name, one.templates, one.devices) for one in stacks], [("branches", ["branch"], [serial])])

    # A profile in a template, committed, and pushed to the stack.
    template = panorama.Template.refreshall(pano, name_only=True)[0]
    check("template", template.name, "branch")
    path = template.xpath() + "/config/shared/ssl-tls-service-profile/entry[@name='from-template']"
    pano.xapi.set(path, "<protocol-settings><min-version>tls1-2</min-version></protocol-settings>")
    cmd = panorama.PanoramaCommit(description="profile", admins=["admin"], templates=["branch"])
    check("commit", pano.commit(sync=True, cmd=cmd)["result"], "OK")
    cmd = panorama.PanoramaCommitAll(
        style=panorama.PanoramaCommitAll.STYLE_TEMPLATE_STACK, name="branches", devices=[serial],
        admins=["admin"], force_template_values=False, description="push")
    result = pano.commit(sync=True, sync_all=True, cmd=cmd)
    check("push", (result["success"], result["devices"][serial]["success"]), (True, True))
    check("what the firewall said", "Configuration committed successfully" in result["devices"][serial]["messages"], True)
    cmd = panorama.PanoramaCommitAll(
        style=panorama.PanoramaCommitAll.STYLE_DEVICE_GROUP, name="offices", include_template=True)
    check("push to the group", pano.commit(sync=True, sync_all=True, cmd=cmd)["result"], "OK")
    refused = panorama.PanoramaCommitAll(
        style=panorama.PanoramaCommitAll.STYLE_TEMPLATE, name="branch", admins=["admin"])
    try:
        pano.commit(sync=True, cmd=refused)
        sys.exit("FAILED a template is pushed by administrator")
    except errors.PanDeviceError as error:
        check("a template by administrator", "admin unexpected here" in str(error), True)

    # Through the Panorama, the firewall answers.
    fw = pano.find(serial, firewall.Firewall, recursive=True) or firewall.Firewall(serial=serial)
    if fw.parent is None:
        pano.add(fw)
    pushed = fw.op("show config pushed-template")
    names = [entry.get("name") for entry in pushed.findall(".//ssl-tls-service-profile/entry")]
    check("it has arrived", names, ["from-template"])
    check("the firewall's own name", device.SystemSettings.refreshall(fw)[0].hostname, "fw-branch-1")
    gone = firewall.Firewall(serial="001900000000099")
    pano.add(gone)
    try:
        gone.op("show clock")
        sys.exit("FAILED a firewall that is not there answers")
    except errors.PanDeviceError as error:
        check("not connected", "001900000000099 not connected" in str(error), True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("all well")
