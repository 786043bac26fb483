# A root in memory: a squashfs that is fetched whole and checked, with a layer above it that takes what is written.
spare=268435456
tries=0

deliver_ram() {
    bytes=$(value .ram.bytes)
    has_room && mount_room && fetch && is_whole && mount_layers "$run/image/root.squashfs"
}

has_room() {
    # The system needs memory besides its image: a quarter of that, and 256 MiB at least.
    [ ! -d "$run/image" ] || return 0
    more=$((bytes / 4))
    [ "$more" -ge "$spare" ] || more=$spare
    free=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "$at/proc/meminfo") * 1024))
    if [ "$free" -lt $((bytes + more)) ]; then
        needs="its image takes $((bytes >> 20)) MiB of memory and its system $((more >> 20)) MiB"
        trouble 51 "$needs: $((free >> 20)) MiB are free" \
            "give the machine more memory, or deploy the image in another way"
        return 3
    fi
}

mount_room() {
    [ ! -d "$run/image" ] || return 0
    mkdir -p "$run/image"
    mount -t tmpfs -o "mode=0700,size=$((bytes + 1048576))" qrm-image "$run/image" || {
        rmdir "$run/image"
        return 1
    }
}

fetch() {
    # A connection that breaks is taken up where it was; one that says nothing for a minute is given up.
    image=$run/image/root.squashfs
    here_already=$(wc -c 2>/dev/null <"$image") || here_already=0
    [ "$here_already" -ne "$bytes" ] || return 0
    url=$(value .ram.url)
    say now "fetching the image: $(((bytes - here_already) >> 20)) MiB"
    ask "$image" "$bytes" image_request
    case $status in 200 | 206) return 0 ;; esac
    if refused; then
        trouble 43 "$url: the appliance refused the image with status $status" "it needs a fresh boot"
        return 2
    fi
    unanswered "$url"
    return 1
}

image_request() {
    printf '%s\n' "url = \"$url\"" 'speed-limit = 1' 'speed-time = 60' fail
    [ "$here_already" -eq 0 ] || echo 'continue-at = -'
    jq -r '"header = \"Authorization: Bearer \(.ram.token)\""' "$values"
}

is_whole() {
    is=$(sha256sum <"$image" | cut -c1-64)
    [ "$is" != "$(value .ram.sha256)" ] || return 0
    rm -f "$image"
    tries=$((tries + 1))
    trouble 50 "the image that came is another than the deployment's: its checksum is $is" \
        "upload the image again if it happens again"
    [ "$tries" -lt 3 ] || return 2
    return 1
}

mount_layers() {
    # mount_layers IMAGE: what is in memory goes with the root, and stands in nobody's way below /run.
    modprobe -q -a loop squashfs overlay
    mkdir -p "$run/lower"
    if ! mount -t squashfs -o ro,loop "$1" "$run/lower"; then
        trouble 50 "the image is no squashfs that this kernel can mount" "choose another kernel for this image"
        return 2
    fi
    mount_above && umount -l "$run/image"
}

mount_above() {
    # A layer in memory above what is mounted at $run/lower, as the root. The overlay holds what it needs of both by
    # itself.
    mkdir -p "$run/upper"
    mount -t tmpfs -o mode=0755 qrm-upper "$run/upper" || return 1
    mkdir -m 0755 "$run/upper/data" "$run/upper/work"
    if ! make_own "$run/upper/data"; then
        umount "$run/upper"
        trouble 50 "what makes the image this deployment's own cannot be unpacked" "re-deploy it"
        return 2
    fi
    layers="lowerdir=$run/lower,upperdir=$run/upper/data,workdir=$run/upper/work"
    if ! mount -t overlay -o "$layers" qrm-root "$root"; then
        umount "$run/upper"
        trouble 50 "this kernel cannot put a layer in memory above the root" "choose another kernel for this image"
        return 2
    fi
    umount -l "$run/upper"
    umount -l "$run/lower"
}

make_own() {
    # make_own DIRECTORY: what an agent has written above the image before, as the document has it. It goes into the
    # layer itself, not through the mounted root: no link of the image leads anywhere.
    [ -n "$(value '.upper // ""')" ] || return 0
    value .upper | base64 -d >"$secrets/upper" &&
        tar -xzf "$secrets/upper" --numeric-owner -C "$1" &&
        shred -u "$secrets/upper"
}
