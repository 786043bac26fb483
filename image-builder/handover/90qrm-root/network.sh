# An address on the card that this machine booted from.
card=
address=

cards() {
    # Network cards; what is no hardware has no device.
    for each in "$at"/sys/class/net/*; do
        [ ! -e "$each/device" ] || echo "${each##*/}"
    done
}

address_of() { cat "$at/sys/class/net/$1/address"; }

has_link() { [ "$(cat "$at/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]; }

choose_card() {
    # Sets card: the one with the address in mac; where nobody has said which, the first with a link.
    card=
    for each in $(cards); do
        if [ -n "$mac" ]; then
            [ "$(address_of "$each")" = "$mac" ] || continue
        elif ! has_link "$each"; then
            continue
        fi
        card=$each
        return 0
    done
    return 1
}

wait_for_link() {
    # A card that was just switched on needs some seconds to agree with the switch.
    looks=0
    until has_link "$card"; do
        looks=$((looks + 1))
        [ "$looks" -lt 40 ] || return 1
        sleep 0.2
    done
}

bring_up() {
    for each in $(cards); do
        ip link set dev "$each" up
    done
    if ! choose_card; then
        trouble 40 "no network card has the address ${mac:-and a link}; there is $(cards | tr '\n' ' ')" \
            "check the cable; the modules of this kernel may lack the driver of that card"
        return 1
    fi
    if ! wait_for_link; then
        trouble 40 "no link on $card ($(address_of "$card"))" "check the cable and the switch port"
        return 1
    fi
    if ! (
        umask 022 &&
            exec udhcpc -i "$card" -s "$here/udhcpc.script" -p "$run/udhcpc.pid" -n -t 10 -T 1 >/dev/null 2>&1
    ); then
        trouble 40 "no DHCP server answers on $card ($(address_of "$card"))" \
            "check that the appliance serves this subnet; a switch port may take 50 s after power-on (spanning tree)"
        return 1
    fi
    mac=$(address_of "$card")
    address=$(ip -4 addr show dev "$card" | sed -n 's,^ *inet \([0-9.]*\).*,\1,p' | head -n 1)
    if [ -z "$address" ]; then
        trouble 40 "the address that was leased could not be set on $card" ""
        return 1
    fi
    well
}

leave_network() {
    # A root in memory needs no card. That of another root stays as it is, and its lease is renewed: by systemd-networkd
    # where the image starts that (keep_network has told it), else by a client that outlives this initrd.
    if [ -f "$run/udhcpc.pid" ]; then
        kill "$(cat "$run/udhcpc.pid")" 2>/dev/null
        rm -f "$run/udhcpc.pid"
    fi
    if [ "$delivery" = ram ]; then
        ip addr flush dev "$card"
        ip link set dev "$card" down
    elif ! starts_networkd; then
        unshare -m "$here/udhcpc-room" "$card" "$address" "$root" &
        keep_names
    fi
    return 0
}

starts_networkd() {
    for each in "$root"/etc/systemd/system/*.wants "$root"/usr/lib/systemd/system/*.wants; do
        [ ! -L "$each/systemd-networkd.service" ] || return 0
    done
    return 1
}

keep_names() {
    # The name servers of the lease, for images whose own client would have noted them: it leaves this card alone. A
    # link in the place of the file is for others to follow.
    names=$at/run/resolv.conf
    [ -s "$names" ] || return 0
    servers=$(sed -n 's/^nameserver //p' "$names" | tr '\n' ' ')
    keep systemd/resolved.conf.d/90-qrm-root.conf "[Resolve]" "DNS=${servers% }"
    # NetworkManager writes the file itself, and knows nothing of a card that it leaves alone (NetworkManager.conf(5)).
    keep NetworkManager/conf.d/91-qrm-root-names.conf "[global-dns-domain-*]" \
        "servers=$(printf %s "${servers% }" | tr ' ' ',')"
    if [ ! -L "$root/etc/resolv.conf" ] && [ ! -L "$root/etc" ]; then
        new=$(mktemp "$root/etc/.qrm-XXXXXX") && cat "$names" >"$new" && chmod 644 "$new" &&
            mv -f "$new" "$root/etc/resolv.conf"
    fi
}
