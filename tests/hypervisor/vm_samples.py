"""VMs at random, as hypothesis makes them: such as pass our checks, and such as hold any text at all."""

from hypothesis import strategies as st

from appliance.vm import Autostart, Bus, Cdrom, Disk, Firmware, Nic, NicModel, System, Vm, VmId, mac_of, targets
from appliance.vm_check import MIB, checked
from appliance.volume import Format

HOSTILE = '\'/><script x="&amp;"]]><!-- \u00e4\u2028\U0001f600 ${x} %s \\ ,,file=/etc/shadow'
"""Ends attributes, elements, sections and QEMU's own options."""
PARTS = st.text("ab1 .,;=&<>'\"]-!${}\\\u00e4\U0001f600", min_size=1, max_size=12).filter(
    lambda x: x not in (".", "..")
)
PATHS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts)),
    st.from_regex(r"\A/dev/qrm/[0-9a-f]{16}\Z"),
)
ANY_TEXT = st.one_of(st.just(HOSTILE), st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=30))
NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,20}[a-z0-9]\Z").filter(lambda name: name not in ("localhost", "wpad"))
BUSES = [Bus.VIRTIO_SCSI, Bus.VIRTIO_BLK, Bus.SATA]
"""Those that the libvirt of every computer with our tests knows."""


@st.composite
def good_vms(draw):
    """Such as ``checked`` lets through."""
    places = draw(st.lists(st.integers(0, 25), max_size=6, unique=True))
    count = draw(st.integers(0, len(places)))
    buses = [draw(st.sampled_from(BUSES)) for _ in range(count)]
    paths = [f"{draw(PATHS)}{number}" for number in range(count)]
    disks = tuple(
        Disk(
            targets(bus)[place],
            path,
            bus,
            draw(st.sampled_from(Format)),
            draw(st.from_regex(r"\A[0-9a-f]{16}\Z") | st.just("")),
            bus is not Bus.SATA and draw(st.booleans()),  # QEMU has no SATA disks that are not written
        )
        for bus, path, place in zip(buses, paths, places[:count], strict=True)
    )
    cdroms = tuple(Cdrom(targets(Bus.SATA)[each], draw(PATHS | st.just(""))) for each in places[count:][:4])
    macs = draw(st.lists(st.binary(min_size=3, max_size=3).map(mac_of), max_size=3, unique=True))
    nics = tuple(
        Nic(
            mac, draw(st.sampled_from(["br0", "br-lab.7"])), draw(st.integers(0, 4094)), draw(st.sampled_from(NicModel))
        )
        for mac in macs
    )
    there = [*(each.target for each in (*disks, *cdroms)), *macs]
    boot = draw(st.lists(st.sampled_from(there), min_size=1, unique=True)) if there else []
    autostart = st.builds(Autostart, st.integers(0, 9999), st.floats(0, 3600))
    return checked(
        Vm(
            VmId(str(draw(st.uuids(version=4)))),
            draw(NAMES),
            draw(st.integers(1, 16)),
            draw(st.integers(16, 4096)) * MIB,
            disks,
            cdroms,
            nics,
            tuple(boot),
            draw(st.sampled_from(Firmware)),
            draw(st.booleans()),
            draw(st.sampled_from(System)),
            draw(ANY_TEXT | st.just("two\nlines")),
            draw(st.none() | autostart),
        )
    )
