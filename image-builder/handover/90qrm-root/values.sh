# The values of this attempt: in the initrd already, or for the boot token.
values=$secrets/root.json
delivery=
hostname=

value() { jq -j "$1" "$values"; }

TOO_EARLY=425 # somebody has to let the machine in first

get_values() {
    if [ -f "$at/qrm/root.json" ]; then
        cat "$at/qrm/root.json" >"$values"
        shred -u "$at/qrm/root.json"
    elif [ ! -s "$values" ]; then
        trade || return $?
    fi
    wrong=$(jq -rs -f "$here/values.jq" "$values" 2>/dev/null) || wrong="they are no JSON"
    if [ -n "$wrong" ]; then
        trouble 50 "the values of this attempt make no sense: $wrong" "retry the deployment"
        return 2
    fi
    delivery=$(value .delivery)
    hostname=$(value .hostname)
    well
}

read_armed() {
    # What the boot script has armed this boot with. It cannot be forged into JSON or curl's words.
    control=$(word qrm.control) ca=$(word qrm.ca) token=$(word qrm.token) nonce=$(word qrm.nonce)
    control=${control%/}
    ca=$(printf '%s' "$ca" | tr -d : | tr A-F a-f)
    [ -n "$server" ] && matches "$control" 'https://[][0-9A-Za-z.:-]+' && matches "$ca" '[0-9a-f]{64}' &&
        matches "$token" '[0-9a-f]{64}' && matches "$nonce" '[0-9A-Za-z._:/-]{1,200}'
}

trade() {
    if ! read_armed; then
        trouble 44 "the kernel command line lacks qrm.server, control, ca, token or nonce" \
            "boot this machine from the network, through the appliance"
        return 2
    fi
    trust && set_clock || return $?
    redeem
}

trust() {
    # The authority whose fingerprint the boot script carried, and nobody else (as agent/trust.py). What curl is given
    # is made from the very bytes that were compared: a file with another certificate behind the good one has another
    # hash.
    if ! get "$server/ca.pem" "$run/ca"; then
        unanswered "$server/ca.pem"
        return 1
    fi
    sed '/^-----/d' "$run/ca" | base64 -d >"$run/ca.der" 2>/dev/null
    is=$(sha256sum <"$run/ca.der" | cut -c1-64)
    if [ "$is" != "$ca" ]; then
        trouble 42 "$server/ca.pem has the fingerprint $is, the boot script said $ca" \
            "restart this machine; if it happens again, another computer answers in the appliance's name"
        return 1
    fi
    {
        echo "-----BEGIN CERTIFICATE-----"
        base64 "$run/ca.der"
        echo "-----END CERTIFICATE-----"
    } >"$run/ca.pem"
}

set_clock() {
    # A dead battery puts machines into 1980 or 2099, where no certificate is valid.
    if ! get "$server/time" "$run/time"; then
        unanswered "$server/time"
        return 1
    fi
    now=$(jq -r '.now | numbers | floor' "$run/time" 2>/dev/null)
    if ! matches "$now" '[0-9]{9,11}'; then
        trouble 41 "$server/time: the answer is not a time" ""
        return 1
    fi
    date -u -s "@$now" >/dev/null
}

redeem() {
    # The machine token is made up here and kept, so that a call whose answer was lost is the same call again.
    mine=$secrets/machine-token
    [ -s "$mine" ] || head -c 32 /dev/urandom | sha256sum | cut -c1-64 >"$mine"
    redemption >"$secrets/redemption"
    ask "$secrets/answer" 1048576 printf '%s\n' "url = \"$control/control/v1/root\"" "cacert = \"$run/ca.pem\"" \
        "data-binary = \"@$secrets/redemption\"" 'header = "Content-Type: application/json"' \
        'header = "Accept: application/json"' 'max-time = 60'
    if [ "$status" = 200 ]; then
        mv "$secrets/answer" "$values"
    elif [ "$status" = "$TOO_EARLY" ]; then
        trouble 45 "this machine restarted by itself, and waits to be let in to its root" \
            "let it in: on its page in the console, or: qrm machines admit"
        return 1
    elif refused; then
        said=$(jq -r '"\(.message) (\(.code))"' "$secrets/answer" 2>/dev/null)
        trouble 43 "the appliance refused: ${said:-it answered $status}" "it needs a fresh boot"
        return 2
    else
        unanswered "$control/control/v1/root"
        return 1
    fi
}

redemption() {
    # JSON of values that were all checked; none of them has a quote or a backslash.
    uuid=$(cat "$at/sys/class/dmi/id/product_uuid" 2>/dev/null | tr A-F a-f)
    if matches "$uuid" '[0-9a-f-]{36}'; then uuid="\"$uuid\""; else uuid=null; fi
    firmware=bios
    [ ! -d "$at/sys/firmware/efi" ] || firmware=uefi
    macs=
    for each in $(cards); do
        each=$(mac_of "$(address_of "$each")")
        [ -z "$each" ] || macs="$macs${macs:+,}\"$each\""
    done
    printf '{"boot_token":"%s","machine_token":"%s","nonce":"%s","mac":"%s","macs":[%s],"uuid":%s,"firmware":"%s"}' \
        "$token" "$(cat "$mine")" "$nonce" "$mac" "$macs" "$uuid" "$firmware"
}
