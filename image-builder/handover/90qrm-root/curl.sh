# HTTP and HTTPS, by curl. What it is to do goes in through its standard input, so that no secret is an argument.
status=

ask() {
    # ask OUTPUT LIMIT: sends what its standard input says in curl's own words, and writes the answer to the file OUTPUT,
    # with at most LIMIT bytes. Sets status, 000 where there was no answer. curl's words of an error are in $run/curl.said.
    status=$(
        {
            cat
            printf '%s\n' silent show-error 'noproxy = "*"' 'proto = "=http,https"' tlsv1.2 'connect-timeout = 10' \
                "max-filesize = $2" "output = \"$1\"" 'write-out = "%{http_code}"'
        } | curl --disable --config - 2>"$run/curl.said"
    ) || status=000
}

get() {
    # get URL OUTPUT: something public and small.
    printf '%s\n' "url = \"$1\"" 'max-time = 30' | ask "$2" 1048576
    [ "$status" = 200 ]
}

tell() {
    # tell URL: what nobody waits for.
    printf '%s\n' "url = \"$1\"" 'max-time = 5' | ask "$run/told" 65536
    rm -f "$run/told"
}

unanswered() {
    # unanswered URL: says why there was no good answer.
    why="it answered $status"
    [ "$status" != 000 ] || why=$(head -n 1 "$run/curl.said")
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
