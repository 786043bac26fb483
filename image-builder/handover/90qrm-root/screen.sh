# What stands on the machine's consoles, in the form that the agent has too: `qrm: problem: ...`. It goes through the
# kernel's log, which never waits for a serial line, and is there to be read afterwards. No secret comes here.
shown=
last=
told=
loudness=

loud() {
    # Notices are shown, whatever the command line says; the kernel's own news of devices are not.
    loudness=$(cut -f1 "$at/proc/sys/kernel/printk")
    echo 6 >"$at/proc/sys/kernel/printk"
}

quiet() {
    [ -z "$loudness" ] || echo "$loudness" >"$at/proc/sys/kernel/printk"
}

say() {
    # say LABEL TEXT: what is no printable ASCII is made a question mark, since much of it comes from a network.
    printf '<5>qrm: %-11s%s\n' "$1:" "$(printf '%s' "$2" | tr -c ' -~' '?' | cut -c1-400)" >>"$at/dev/kmsg"
}

trouble() {
    # trouble NUMBER TEXT TODO: once for as long as it stays the same. NUMBER is what the appliance explains
    # (appliance/screencode.py), and is told, too, where it has an address for that.
    [ "$shown" != "$1 $2" ] || return 0
    shown="$1 $2"
    last=$1
    say problem "$2"
    [ -z "$3" ] || say "to do" "$3"
    [ -z "${server:-}" ] || say appliance "$server"
    end=$(printf '%s' "${mac:-}" | tr -d : | tr a-f A-F | cut -c7-12)
    [ -z "$end" ] || say code "$end-$1, in the console: Ctrl-K; or: qrm find $end-$1"
    [ "$1" -lt 50 ] || tell_last
}

tell_last() {
    # The appliance hears of the last trouble, once: of those from 50 on when they come, of any other when the machine
    # restarts for it. So it knows that this initrd has run, and does not take the restart for a kexec that failed.
    if [ -n "${server:-}" ] && [ -n "${mac:-}" ] && [ -n "$last" ] && [ "$told" != "$last" ]; then
        tell "$server/boot/trouble/$mac/$last"
        [ "$status" != 200 ] || told=$last
    fi
}

well() {
    [ -z "$shown" ] || say problem "none any more"
    shown=
}
