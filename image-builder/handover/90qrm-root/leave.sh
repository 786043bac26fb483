# The last things before the root's own init: the files of the document, and nothing secret left.

write_files() {
    count=$(value '(.files // []) | length')
    number=0
    while [ "$number" -lt "$count" ]; do
        if ! write_file "$number"; then
            trouble 50 "the file $(value ".files[$number].path") cannot be written onto the root" \
                "look at the image: a directory on the way may lead out of it"
            return 2
        fi
        number=$((number + 1))
    done
}

write_file() {
    # write_file NUMBER: in the place of whatever has its name. A link on the way that leads out of the root is refused.
    path=$(value ".files[$1].path")
    parent=$(dirname "$path")
    (umask 022 && mkdir -p "$root$parent") || return 1
    inside=$(readlink -f "$root$parent") || return 1
    case $inside/ in "$(readlink -f "$root")"/*) ;; *) return 1 ;; esac
    new=$(mktemp "$inside/.qrm-XXXXXX") || return 1
    value ".files[$1].content" >"$new" && chmod "$(printf '%o' "$(value ".files[$1].mode")")" "$new" &&
        mv -f "$new" "$inside/$(basename "$path")"
}

forget_secrets() {
    for each in "$secrets"/*; do
        [ ! -f "$each" ] || shred -u "$each"
    done
    rm -rf "$secrets" "$run/ca" "$run/ca.der" "$run/ca.pem" "$run/time" "$run/curl.said"
    rmdir "$run"/* "$run" 2>/dev/null
    return 0
}

keep_network() {
    # Whatever configures networks in the image leaves the card alone that its root comes through: systemd-networkd gets
    # the same lease and gives nothing back, NetworkManager and ifupdown do not touch it (its lease: leave_network).
    [ "$delivery" != ram ] || return 0
    keep systemd/network/00-qrm-root.network "[Match]" "MACAddress=$mac" "Type=ether" "Kind=!*" "[Network]" DHCP=ipv4 \
        KeepConfiguration=yes "[DHCPv4]" ClientIdentifier=mac
    keep NetworkManager/conf.d/90-qrm-root.conf "[device-qrm-root]" "match-device=mac:$mac" managed=0
    keep systemd/system/networking.service.d/qrm-root.conf "[Service]" ExecStop=
    keep network/ifstate "$card=$card"
    keep "network/ifstate.$card" "$card"
}

keep() {
    # keep PATH LINE...: a file below /run, which the image gets as it is, for everybody to read.
    (
        umask 022
        path=$at/run/$1
        shift
        mkdir -p "${path%/*}"
        printf '%s\n' "$@" >"$path"
    )
}
