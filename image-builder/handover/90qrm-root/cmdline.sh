# The kernel's command line, as the boot script has written it (ARCHITECTURE.md, "Maintenance stack: kernel command
# line").
nl='
'

word() {
    # word NAME: the value of the last NAME=value.
    found=
    set -f
    for each in $(cat "$at/proc/cmdline"); do
        case $each in "$1="*) found=${each#"$1="} ;; esac
    done
    set +f
    printf '%s' "$found"
}

matches() {
    # matches TEXT REGEX: the whole of it, which is one line.
    case $1 in *"$nl"*) return 1 ;; esac
    printf '%s\n' "$1" | grep -Eqx "$2"
}

mac_of() {
    # mac_of TEXT: aa:bb:cc:dd:ee:ff of AA:BB:.., aa-bb-.. and PXELINUX's 01-aa-bb-..; nothing of anything else.
    found=$(printf '%s' "$1" | tr A-F- a-f:)
    case $found in 01:??:??:??:??:??:??) found=${found#01:} ;; esac
    if matches "$found" '[0-9a-f]{2}(:[0-9a-f]{2}){5}'; then printf '%s' "$found"; fi
}

read_boot() {
    # Sets server and mac. The document of a kexec knows the card better than a command line.
    mac=
    server=$(word qrm.server)
    matches "$server" 'http://[][0-9A-Za-z.:-]+/?' || server=
    server=${server%/}
    if [ -f "$at/qrm/root.json" ]; then
        mac=$(mac_of "$(jq -r '.nic.mac? // empty' "$at/qrm/root.json" 2>/dev/null)")
    fi
    [ -n "$mac" ] || mac=$(mac_of "$(word qrm.mac)")
    [ -n "$mac" ] || mac=$(mac_of "$(word BOOTIF)")
}
