# HTTP and HTTPS, by curl. What it is to do goes in through its standard input, so that no secret is an argument.
status=
CURL_HTTP=22  # a status above 399, where `fail` was asked for
CURL_RANGE=33 # whoever answers cannot go on where the last one broke off

ask() {
    # ask OUTPUT LIMIT COMMAND...: sends what COMMAND prints, which are curl's own words, and writes the answer to the
    # file OUTPUT, with at most LIMIT bytes. COMMAND is the shell's own. Sets status, 000 where there was no whole
    # answer; curl's words of an error are in $run/curl.said.
    output=$1 limit=$2
    shift 2
    status=$(
        {
            "$@"
            printf '%s\n' silent show-error 'noproxy = "*"' 'proto = "=http,https"' tlsv1.2 'connect-timeout = 10' \
                "max-filesize = $limit" "output = \"$output\"" 'write-out = "%{http_code}"'
        } | curl --disable --config - 2>"$run/curl.said"
    )
    case $? in
        0 | "$CURL_HTTP") ;;
        "$CURL_RANGE") rm -f "$output" && status=000 ;;
        *) status=000 ;;
    esac
}

get() {
    # get URL OUTPUT: something public and small.
    ask "$2" 1048576 printf '%s\n' "url = \"$1\"" 'max-time = 30'
    [ "$status" = 200 ]
}

tell() {
    # tell URL: what nobody waits for.
    ask "$run/told" 65536 printf '%s\n' "url = \"$1\"" 'max-time = 5'
    rm -f "$run/told"
}

unanswered() {
    # unanswered URL: says why there was no good answer.
    why="it answered $status"
    # How long it took is another time each time.
    [ "$status" != 000 ] || why=$(sed -n '1{s/ after [0-9]* ms//;p;}' "$run/curl.said")
    trouble 41 "$1: $why" "check that the appliance is running and that its address can be reached from here"
}

refused() {
    # Whether the appliance said no, and not just not now.
    case $status in
        408 | 429) return 1 ;;
        4*) return 0 ;;
        *) return 1 ;;
    esac
}
