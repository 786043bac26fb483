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
    if ! (umask 022 && exec udhcpc -i "$card" -s "$here/udhcpc.script" -p "$run/udhcpc.pid" -n -t 10 -T 1 >/dev/null 2>&1); then
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
    # The lease is nobody's from here on; a root that came over the network has told the image to keep it (leave.sh).
    if [ -f "$run/udhcpc.pid" ]; then
        kill "$(cat "$run/udhcpc.pid")" 2>/dev/null
        rm -f "$run/udhcpc.pid"
    fi
    if [ "$delivery" = ram ]; then
        ip addr flush dev "$card"
        ip link set dev "$card" down
    fi
    return 0
}
