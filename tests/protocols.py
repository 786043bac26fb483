"""What real firmware and real networks demand, statement by statement, and which test holds each of them.

A test is named by its file below ``tests/`` and what pytest calls it, without parameters. `test_protocols.py` checks
that all of them are there. What stands here is a floor: the RFCs named beside each section hold besides.
"""

from typing import NamedTuple


class Statement(NamedTuple):
    """One thing that has to be true."""

    section: str
    says: str
    tests: tuple[str, ...]


def _section(name: str, *rows: tuple[str, ...]) -> tuple[Statement, ...]:
    return tuple(Statement(name, says, tests) for says, *tests in rows)


LEASES = "conversation/test_dhcp_leases.py::"
REPLIES = "conversation/test_dhcp_replies.py::"
RELAYS = "conversation/test_dhcp_relays.py::"
RESERVED = "conversation/test_dhcp_reserved.py::"
PROXY = "conversation/test_dhcp_proxy.py::"
BAD_NETWORK = "conversation/test_dhcp_bad_network.py::"
OUTLOOK = "netboot/dhcp/test_dhcp_outlook.py::"
DECODERS = "netboot/test_decoders.py::"
PACKET = "netboot/dhcp/test_dhcp_packet.py::"
CLIENTS = "netboot/dhcp/test_dhcp_real_clients.py::"
REPLAY = "captures/test_replay.py::"
FUZZ = "fuzz/test_fuzz.py::"
FIRMWARE = "netboot/test_firmware.py::"
BY_FIRMWARE = "conversation/test_dhcp_firmware.py::"
PROGRAMS = "reconcile/test_boot_programs.py::"
POLICY = "netboot/test_policy.py::"
SCRIPTS = "netboot/test_scripts.py::"
HTTP = "netboot/http/test_http.py::"
TRANSFER = "netboot/tftp/test_tftp_transfer.py::"
TFTP = "netboot/tftp/test_tftp_server.py::"
FILES = "netboot/tftp/test_tftp_files.py::"
GRANTED = "netboot/tftp/test_tftp_options.py::"
BAD_TFTP = "conversation/test_tftp_bad_network.py::"
MESSAGE = "netboot/dns/test_dns_message.py::"
DNS = "netboot/dns/test_dns_server.py::"
FORWARDER = "netboot/dns/test_dns_forwarder.py::"
UPSTREAM = "netboot/dns/test_dns_upstream.py::"
ZONE = "netboot/dns/test_dns_zone.py::"
DNS_NAMES = "netboot/dns/test_dns_names.py::"
DNS_FLOODS = "netboot/dns/test_dns_floods.py::"
STUCK = "test_daemon_stuck_disk.py::"
MODES = "test_daemon_modes.py::"
FAILURES = "reconcile/test_failures.py::"
DEADLINES = "reconcile/test_deadlines.py::"
LIFE = "reconcile/test_fleet_life.py::"
KILL_DISKS = "kill/test_kill_disks.py::"
CONFLICTS = "reconcile/test_conflicts.py::"

DHCP = _section(
    "DHCPv4 (RFC 2131, 2132, 3046, 3396, 3527, 4578, 5107, 6842)",
    # -- allocation
    ("the current binding comes first", LEASES + "test_known_address_is_not_probed_again"),
    ("then the previous binding", LEASES + "TestEnding::test_expired_client_gets_its_old_address_back"),
    ("then the address asked for, if it is free", LEASES + "test_requested_address_is_offered_when_it_is_free"),
    ("then a new one", LEASES + "test_two_clients_never_share"),
    ("stable for a client", CLIENTS + "test_busybox_and_isc_clients_obtain_reboot_and_keep_their_address"),
    ("keyed on the MAC", LEASES + "test_rom_ipxe_and_system_with_different_client_ids_get_the_same_address"),
    (
        "by client identifier where that is set",
        RESERVED + "TestByClientIdentifier::test_one_identifier_on_two_cards_gets_one_address",
        RESERVED + "TestByClientIdentifier::test_two_identifiers_on_one_card_get_two_addresses",
    ),
    # -- states of a client
    (
        "SELECTING another server: no reply, and our offer is released",
        LEASES + "test_request_for_another_server_gets_silence_and_frees_our_offer",
    ),
    ("INIT-REBOOT on the wrong network: NAK", LEASES + "TestInitReboot::test_wrong_network_gets_nak"),
    ("INIT-REBOOT unknown: silence", LEASES + "TestInitReboot::test_unknown_client_gets_silence"),
    ("RENEWING by unicast to ciaddr", LEASES + "TestRenewing::test_is_answered_by_unicast_to_the_client"),
    (
        "REBINDING is answered if bound",
        "conversation/test_dhcp_statements.py::test_rebinding_is_answered_where_we_know_the_lease",
    ),
    (
        "REBINDING is answered if authoritative, and not otherwise",
        "conversation/test_dhcp_statements.py::test_rebinding_without_a_record_is_answered_by_the_authority_only",
    ),
    # -- where a reply goes
    (
        "through a relay: to giaddr, port 67",
        RELAYS + "TestWhereAnswersGo::test_to_the_relay_on_the_server_port_from_where_it_came",
    ),
    ("else to ciaddr", LEASES + "TestRenewing::test_is_answered_by_unicast_to_the_client"),
    ("else by broadcast if flagged", REPLIES + "TestDestination::test_broadcast_flag_is_obeyed_and_echoed"),
    (
        "else to yiaddr and chaddr, without ARP",
        REPLIES + "TestDestination::test_client_without_address_is_reached_through_its_card",
    ),
    ("NAK by broadcast without a relay", LEASES + "test_request_for_a_taken_address_gets_nak_by_broadcast"),
    # -- echoes
    ("xid, flags, giaddr and chaddr echoed", REPLIES + "TestContents::test_fields_are_echoed"),
    ("option 61 echoed", REPLIES + "TestContents::test_identifiers_are_echoed"),
    (
        "option 82 echoed verbatim and last",
        RELAYS + "TestWhereAnswersGo::test_option_82_is_echoed_as_it_came_and_last",
        REPLIES + "TestContents::test_relay_information_is_echoed_last_whatever_else_there_is",
    ),
    (
        "sub-option 5 selects the subnet",
        RELAYS + "TestWhichSubnet::test_link_selection_goes_before_the_relays_own_address",
    ),
    (
        "sub-option 11 sets the server identifier",
        RELAYS + "TestWhereAnswersGo::test_the_relays_choice_is_the_server_identifier_and_answered_to",
    ),
    # -- form
    ("option 57 honoured", REPLIES + "TestContents::test_reply_stays_within_what_the_client_takes"),
    ("option overload parsed", PACKET + "test_options_in_file_and_sname_are_joined_in_that_order"),
    ("split options concatenated", PACKET + "test_long_option_is_split_and_joined"),
    ("replies have 300 bytes at least", REPLIES + "TestContents::test_replies_have_at_least_300_octets"),
    # -- ends
    ("INFORM: no address, no lease time", LEASES + "test_inform_gets_options_without_address_or_times"),
    (
        "DECLINE: the address is set aside with a timer",
        LEASES + "TestEnding::test_decline_sets_the_address_aside_for_a_while",
    ),
    ("DECLINE limited per client", LEASES + "TestEnding::test_declines_are_limited_per_client"),
    (
        "DECLINE only of an offer of ours",
        LEASES + "TestEnding::test_decline_of_an_address_that_we_did_not_give_changes_nothing",
    ),
    ("RELEASE frees at once and remembers", LEASES + "TestEnding::test_release_frees_at_once_and_is_remembered"),
    # -- probes
    (
        "a new address is probed before it is offered",
        CLIENTS + "test_address_of_a_stranger_is_passed_over",
        LEASES + "test_occupied_address_is_set_aside_and_another_is_offered",
        RELAYS + "TestConflicts::test_an_address_behind_a_relay_is_looked_for_and_passed_over",
    ),
    (
        "a probe blocks nobody else, and DISCOVERs in flight get the same address",
        LEASES + "test_offer_is_probed_without_blocking_others_and_duplicates_share_it",
    ),
    # -- durability
    (
        "a lease is on disk, synced, before its ACK leaves",
        LEASES + "TestDurability::test_ack_waits_for_the_disk",
        "store/test_store_killed.py::test_nothing_acknowledged_is_lost_when_the_writer_is_killed",
    ),
    (
        "a renewal inside the stored slack needs no write",
        LEASES + "TestDurability::test_renewal_inside_the_slack_needs_no_write",
    ),
    (
        "beyond the slack only the remaining time is acknowledged",
        LEASES + "TestDurability::test_no_acknowledgement_goes_beyond_what_the_disk_holds",
    ),
    (
        "after kill -9 or a power cut no address is given twice",
        LEASES + "TestDurability::test_kill_and_restart_never_gives_an_address_twice",
        CLIENTS + "test_kill_and_restart_gives_no_address_twice",
        BAD_NETWORK + "test_no_two_clients_ever_have_one_address_and_all_end_bound",
    ),
    (
        "nor with the disk stuck",
        STUCK + "test_a_kill_while_the_disk_hangs_promises_nothing_twice",
        STUCK + "test_who_has_an_address_goes_on_and_nobody_gets_a_new_one_until_the_disk_is_back",
    ),
    # -- exhaustion
    (
        "floods of made-up MACs hold offers only briefly",
        LEASES + "TestExhaustion::test_offers_are_held_only_briefly",
        LEASES + "TestExhaustion::test_flood_of_made_up_machines_does_not_starve_a_real_one",
        "exhaustion/test_exhaustion.py::test_a_million_made_up_machines_keep_no_real_one_from_booting",
    ),
    (
        "limits per relay and port hold",
        RELAYS + "TestShares::test_a_flooded_relay_leaves_half_the_pool_to_others",
        RELAYS + "TestShares::test_a_port_has_no_more_leases_than_it_may",
    ),
    (
        "reservations are never eaten",
        LEASES + "TestReservations::test_flood_never_eats_a_reservation",
        RESERVED + "TestOfAPort::test_floods_on_other_ports_never_eat_it",
        RESERVED + "TestOfABoard::test_a_flood_of_cards_never_eats_it",
    ),
    # -- interfaces and broken packets
    (
        "a reply leaves on the interface its request came in on",
        "conversation/test_dhcp_statements.py::test_each_interface_answers_for_itself",
    ),
    (
        "with the address of that interface",
        "conversation/test_dhcp_statements.py::test_each_interface_answers_for_itself",
    ),
    (
        "malformed packets are counted and dropped",
        REPLIES + "TestBadInput::test_is_dropped_with_a_reason_and_harms_nobody",
        FUZZ + "test_no_packet_does_harm_and_memory_stays_flat",
        DECODERS + "TestDhcp::test_any_bytes",
        "test_daemon_metrics.py::test_what_came_and_went_is_counted",
    ),
    ("and logged at a limited rate", REPLIES + "TestBadInput::test_is_reported_once_a_second_with_a_count"),
    # -- modes
    (
        "authoritative, per subnet",
        RELAYS + "TestWhichSubnet::test_the_relays_address_selects_it_and_all_subnets_are_served_at_once",
    ),
    ("proxy: boot information only", PROXY + "test_offer_has_the_boot_file_and_no_address"),
    (
        "proxy: port 4011 too",
        PROXY + "test_boot_server_port_acknowledges_by_unicast_from_itself",
        MODES + "test_a_subnet_is_switched_while_a_client_holds_a_lease_and_stays_so_after_a_restart",
    ),
    ("reservations only", LEASES + "TestReservations::test_reservations_mode_is_silent_to_all_others"),
    ("off", REPLIES + "TestBadInput::test_subnet_that_is_off_is_silent"),
    (
        "no subnet configured: silent",
        REPLIES + "TestBadInput::test_interface_without_subnet_is_silent",
        MODES + "test_without_a_subnet_nothing_is_listened_on",
    ),
    (
        "other DHCP servers are looked for before authoritative service starts",
        OUTLOOK + "test_service_begins_after_a_look_that_saw_nobody",
        MODES + "test_no_address_is_given_beside_another_server_until_it_is_gone_or_forced",
    ),
    (
        "and every ten minutes",
        OUTLOOK + "test_service_begins_after_a_look_that_saw_nobody",
        OUTLOOK + "test_a_server_found_at_once_was_there_before_a_later_one_stops_nothing",
        MODES + "test_a_restart_goes_on_at_once_and_tells_of_a_server_that_came_meanwhile",
    ),
    (
        "service is refused, and that is said, unless forced",
        OUTLOOK + "test_forced_service_begins_at_once_and_is_looked_over_all_the_same",
        MODES + "test_no_address_is_given_beside_another_server_until_it_is_gone_or_forced",
    ),
)

PXE = _section(
    "PXE and UEFI",
    (
        "option 93: 0 BIOS, 7 and 9 x86-64, 6 IA32, 11 arm64, 0x0f and 0x10 HTTP x86, 0x13 HTTP arm64",
        FIRMWARE + "test_firmware_and_its_file",
    ),
    ("lists of several architectures", FIRMWARE + "test_firmware_and_its_file"),
    ("unknown ones get no boot file", PROXY + "test_firmware_without_a_file_is_seen_and_left_alone"),
    ("and are logged", PROXY + "test_firmware_without_a_file_is_seen_and_left_alone"),
    ("option 97 may be missing", FIRMWARE + "TestUuid::test_placeholders_and_other_shapes_are_nothing"),
    (
        "option 97 is 17 bytes of type 0",
        FIRMWARE + "TestUuid::test_is_read_in_the_order_that_dmidecode_prints",
        FIRMWARE + "TestUuid::test_placeholders_and_other_shapes_are_nothing",
    ),
    ("option 97 is echoed", REPLIES + "TestContents::test_identifiers_are_echoed"),
    ("option 77 raw or length-prefixed", FIRMWARE + "test_ipxe_gets_the_script_and_is_never_told_to_load_itself"),
    (
        "iPXE is known by user class and by option 175, and never sent to load itself again",
        FIRMWARE + "test_ipxe_gets_the_script_and_is_never_told_to_load_itself",
        REPLAY + "test_what_it_is_and_has_is_known_from_its_packets",
    ),
    (
        "a loop detector stops and explains after three rounds",
        PROGRAMS + "test_three_rounds_without_a_start_are_explained_once_and_the_firmware_is_left_to_its_next_entry",
        "reconcile/test_looping.py::test_a_stack_that_never_reports_is_named_at_the_third_boot_and_not_again",
    ),
    ("proxy offers: yiaddr 0, options 60, 54, 43.6 = 8, siaddr", PROXY + "test_offer_has_the_boot_file_and_no_address"),
    ("unicast answer on 4011", PROXY + "test_boot_server_port_acknowledges_by_unicast_from_itself"),
    ("HTTP boot: a URL, and HTTPClient echoed", REPLIES + "TestBoot::test_http_boot_gets_url_and_its_class_echoed"),
    (
        "a URL is never sent to PXEClient",
        FIRMWARE + "test_no_options_of_any_client_raise_and_urls_never_go_to_plain_pxe",
    ),
    ("HTTP: HEAD", HTTP + "test_head_says_the_length_and_sends_nothing"),
    ("HTTP: exact Content-Length", REPLAY + "test_http_answers_have_the_head_that_the_client_took"),
    ("HTTP: Range", HTTP + "test_ranges", HTTP + "test_ranges_that_cannot_be_had"),
    ("HTTP: keep-alive", HTTP + "test_requests_in_one_piece_are_answered_in_order"),
    (
        "HTTP: no redirects, doubled slashes tolerated",
        HTTP + "test_doubled_slashes_are_tolerated_without_a_redirect",
        "netboot/http/test_http_clients.py::test_nothing_is_ever_redirected",
    ),
    (
        "snponly.efi by default on UEFI",
        PROGRAMS + "test_the_usual_program_for_each_firmware",
        REPLAY + "test_dhcp_answers_are_those_that_the_client_took",
    ),
    (
        "ipxe.efi and others per machine",
        PROGRAMS + "test_a_users_choice_counts_where_it_fits_the_firmware",
        BY_FIRMWARE + "test_a_choice_is_followed_by_pxe_and_by_http",
    ),
    (
        "Secure Boot: shim, signed GRUB, signed kernel",
        "lab/test_vm_firmware.py::test_secure_boot_leads_into_the_stack_and_on_to_the_deployment",
        "lab/test_vm_firmware.py::test_secure_boot_goes_on_to_http_by_itself_and_comes_up_by_shim_and_grub",
        "lab/test_vm_proxy.py::test_secure_boot_with_our_boot_options_in_the_other_server",
        PROGRAMS + "test_a_machine_whose_inventory_tells_of_secure_boot_is_sent_shim",
    ),
    (
        "a known machine gets a script to wait, boot, go to its disk or power off, whatever its state; never a 404",
        POLICY + "test_any_life::runTest",
        HTTP + "test_a_boot_that_cannot_be_decided_now_is_a_script_that_asks_again",
        HTTP + "test_a_defect_of_ours_is_a_script_that_asks_again_too",
        STUCK + "test_who_has_an_address_goes_on_and_nobody_gets_a_new_one_until_the_disk_is_back",
    ),
    (
        "once a script of ours runs it retries with a growing pause",
        SCRIPTS + "test_the_stack_is_fetched_again_for_ever_and_told_what_it_needs",
        SCRIPTS + "test_what_failed_is_shown_as_words_and_asked_again_for_ever",
        "netboot/test_grub_uefi.py::test_pauses_grow_and_the_last_one_repeats",
    ),
    (
        "before that, firmware falls to its next entry",
        "lab/test_vm_main_job.py::test_the_network_is_asked_first_when_the_appliance_is_away",
    ),
    ("machines are matched by MAC", CONFLICTS + "test_a_second_interface_of_a_known_machine_is_that_machine"),
    ("then by SMBIOS UUID", "reconcile/test_identity.py::test_away_and_back_is_the_same_machine"),
    (
        "a conflict makes a new machine in maintenance and an event, never a merge",
        CONFLICTS + "test_the_same_uuid_twice_makes_two_machines_and_an_event",
        CONFLICTS + "test_an_inventory_cannot_take_the_interface_of_another_machine",
    ),
    (
        "placeholder UUIDs and serials match nothing",
        "test_machine.py::test_uuids_that_say_nothing",
        "test_machine.py::test_serials_that_say_nothing",
    ),
)

TFTP_STATEMENTS = _section(
    "TFTP (RFC 1350, 2347, 2348, 2349, 7440)",
    (
        "a new source port per transfer; a wrong transfer id gets error 5 and harms nothing",
        TFTP + "test_every_transfer_has_its_own_port_and_strangers_get_error_5",
    ),
    (
        "single-port mode for firewalls",
        "netboot/tftp/test_tftp_statements.py::test_through_one_port_everybody_is_served_and_kept_apart",
        "netboot/tftp/test_tftp_clients.py::test_every_client_gets_the_file_through_one_port",
    ),
    (
        "OACK only what was asked",
        GRANTED + "test_without_options_the_rfc_1350_values_hold",
        GRANTED + "test_no_value_crashes_and_none_is_raised",
        FUZZ + "test_no_packet_does_harm_and_memory_stays_flat",
    ),
    ("option names case-insensitive", "netboot/tftp/test_tftp_packet.py::test_request_with_options_in_any_case"),
    ("unknown options ignored", GRANTED + "test_granted"),
    (
        "blksize 8 to 65464, never above what was asked",
        GRANTED + "test_granted",
        GRANTED + "test_no_value_crashes_and_none_is_raised",
    ),
    (
        "blksize capped per subnet, 1468 by default",
        "netboot/tftp/test_tftp_statements.py::test_blocks_are_as_large_as_the_subnet_allows_and_1468_by_default",
    ),
    ("timeout echoed exactly or left out", GRANTED + "test_granted"),
    ("tsize true", REPLAY + "test_the_first_transfer_of_ovmf_asks_for_the_size_only_and_the_second_has_it_all"),
    (
        "windowsize never above what was asked",
        GRANTED + "test_granted",
        FUZZ + "test_no_packet_does_harm_and_memory_stays_flat",
    ),
    (
        "a window resumes from the last in-order ACK",
        TRANSFER + "test_window_is_sent_whole_and_resumes_from_the_last_in_order_ack",
    ),
    (
        "an abort right after OACK is a size probe, not an error",
        TRANSFER + "test_abort_right_after_oack_is_a_size_probe",
        TFTP + "test_size_probe_is_no_error",
        REPLAY + "test_the_first_transfer_of_ovmf_asks_for_the_size_only_and_the_second_has_it_all",
    ),
    (
        "duplicate ACKs never cause duplicate DATA",
        TRANSFER + "test_duplicate_acks_never_cause_data",
        BAD_TFTP + "test_doubled_datagrams_cause_no_others",
    ),
    ("back-off", TRANSFER + "test_lost_data_is_repeated_with_back_off"),
    (
        "bounded retries",
        TRANSFER + "test_a_client_that_never_answers_gets_less",
        BAD_TFTP + "test_nobody_gets_a_wrong_file_and_all_comes_to_an_end",
    ),
    ("an exact multiple ends in an empty block", TRANSFER + "test_exact_multiple_ends_in_an_empty_block"),
    (
        "the block counter wraps",
        TRANSFER + "test_block_counter_wraps",
        TRANSFER + "test_a_window_across_the_wrap_resumes_from_the_middle_of_it",
    ),
    ("read only", TFTP + "test_tftp_hpa_may_not_write"),
    (
        "names are resolved, then checked: .., absolute, backslash, NUL, sibling prefixes",
        FILES + "test_not_found",
        FILES + "test_absolute_name_is_taken_below_the_root",
    ),
    (
        "links out of the root are not followed",
        FILES + "test_links_out_of_the_root_are_not_followed",
        FILES + "test_directory_links_out_of_the_root_are_not_followed",
    ),
    (
        "unanswered packets and transfers per source limited: no amplification",
        TFTP + "test_unanswered_transfers_of_one_source_are_limited",
        "netboot/tftp/test_tftp_census.py::test_a_source_that_does_not_answer_gets_little",
        BAD_TFTP + "test_what_a_stranger_can_have_sent_to_a_victim_is_little",
        TFTP + "test_errors_are_rationed_and_a_file_is_still_had",
        "netboot/tftp/test_tftp_floods.py::test_who_answers_finds_a_place_among_those_who_do_not_and_keeps_it",
    ),
)

DNS_STATEMENTS = _section(
    "DNS (RFC 1034, 1035, 2308, 2782, 5452, 6303, 6891, 7766, 8482)",
    (
        "names and labels checked",
        MESSAGE + "test_broken_queries_are_format_errors",
        MESSAGE + "test_the_longest_name_is_taken",
    ),
    (
        "pointer loops end",
        MESSAGE + "test_broken_queries_are_format_errors",
        MESSAGE + "test_pointer_chains_are_followed_without_recursion",
    ),
    ("FORMERR, NOTIMP, REFUSED in the right places", DNS + "test_refusals"),
    ("responses are never answered", DNS + "test_responses_are_never_answered"),
    (
        "nothing crashes it",
        MESSAGE + "test_no_bytes_crash_it",
        DNS + "test_mutated_queries_crash_nothing",
        FUZZ + "test_no_packet_does_harm_and_memory_stays_flat",
    ),
    ("UDP with TC", DNS + "test_long_answers_are_truncated_and_whole_over_tcp"),
    (
        "TCP with pipelining",
        DNS + "test_pipelined_questions_of_one_connection",
        FORWARDER + "test_a_slow_question_of_a_connection_keeps_none_behind_it_waiting",
    ),
    ("TCP with idle time-out", DNS + "test_silent_connections_are_closed"),
    ("EDNS: 1232 cap", MESSAGE + "test_udp_limit"),
    ("EDNS: BADVERS", DNS + "test_refusals"),
    ("no OPT unless asked", DNS + "test_opt_only_for_those_who_sent_one"),
    (
        "NXDOMAIN against NODATA, with SOA",
        DNS + "test_negative_answers_have_the_soa",
        ZONE + "test_names_between_are_no_nxdomain",
    ),
    ("negative TTL", UPSTREAM + "test_negative_answers_live_as_long_as_the_soa_says"),
    ("ANY minimal", DNS + "test_any_is_minimal"),
    ("AXFR refused", DNS + "test_zone_transfer_is_refused"),
    ("A, AAAA, PTR, CNAME, SRV, TXT", ZONE + "test_user_records_of_all_types", DNS + "test_forward_and_reverse"),
    (
        "recursion only for our own networks",
        FORWARDER + "test_strangers_and_those_who_do_not_ask_for_it_get_no_recursion",
    ),
    ("forwarding with random port and id", FORWARDER + "test_ports_and_ids_are_never_the_same"),
    (
        "question checked",
        FORWARDER + "test_forged_answers_are_passed_over",
        UPSTREAM + "test_answers_to_other_questions",
    ),
    ("bailiwick checked", FORWARDER + "test_poison_about_other_names_goes_nowhere"),
    ("duplicates coalesced", FORWARDER + "test_equal_questions_in_flight_are_asked_once"),
    (
        "cached",
        FORWARDER + "test_answers_are_cached_until_their_end",
        UPSTREAM + "test_cache_forgets_at_the_end_of_the_ttl",
    ),
    ("within limits", UPSTREAM + "test_cache_is_bounded_and_the_least_used_goes_first"),
    (
        "several upstreams with fail-over",
        FORWARDER + "test_the_next_upstream_is_asked_when_one_is_dead_or_unwilling",
    ),
    (
        "a record lives no longer than its lease",
        ZONE + "test_ttl_never_goes_beyond_the_end",
        "reconcile/test_projection.py::test_a_lease_that_is_told_longer_is_named_longer",
    ),
    (
        "A and PTR change together and go when it ends",
        ZONE + "test_forward_and_reverse_come_and_go_together",
        ZONE + "test_ttl_never_goes_beyond_the_end",
        ZONE + "test_expired_records_leave_the_memory",
    ),
    ("names that clients choose are cleaned", DNS_NAMES + "test_clean_name"),
    ("they cannot take another machine's name", ZONE + "test_a_lease_never_takes_the_name_of_a_machine"),
    ("nor reserved ones", ZONE + "test_leases_get_no_reserved_names", DNS_NAMES + "test_clean_name"),
    ("nor the appliance's own", ZONE + "test_nobody_takes_the_name_of_the_appliance"),
    (
        "private reverse zones never leak upstream",
        FORWARDER + "test_private_names_never_leave",
        DNS_NAMES + "test_private_reverse_names_are_local",
    ),
)

ROBUSTNESS = _section(
    "Robustness that users of other systems had to ask for",
    ("slow POST is normal", FAILURES + "test_slow_firmware_is_no_error"),
    (
        "every boot-time request restarts the clock of a step, up to a total limit",
        FAILURES + "test_slow_firmware_is_no_error",
        "test_workflow.py::test_the_deadline_moves_with_signs_up_to_the_limit",
        DEADLINES + "test_signs_of_life_do_not_extend_a_step_for_ever",
    ),
    (
        "a failure is declared only by a deadline that the user can see",
        DEADLINES + "test_silence_past_the_deadline_fails_with_what_was_waited_for",
    ),
    (
        "a boot loop is a failure with that name",
        FAILURES + "test_a_boot_loop_is_named",
        "kill/test_kill_machine.py::test_a_boot_loop_is_named",
    ),
    (
        "after a crash of the appliance steps driven by the machine go on",
        "kill/test_kill_daemon.py::test_deploy_survives_the_daemon_dying_at_every_step",
    ),
    (
        "repeatable steps run again, the rest fails with a reason",
        "kill/test_kill_daemon.py::test_a_step_that_nobody_heard_the_end_of_is_not_done_again",
        "kill/test_kill_machine.py::test_deploy_is_retried_after_every_power_cut",
    ),
    (
        "no destructive step ever runs twice",
        "kill/test_kill_daemon.py::test_a_step_that_nobody_heard_the_end_of_is_not_done_again",
        "agent/test_agent_whole.py::test_done_steps_are_told_again_and_not_done_again",
    ),
    (
        "nor for a stale attempt",
        FAILURES + "test_a_boot_that_nobody_asked_for_cannot_fetch_a_destructive_step",
        "agent/test_agent_conversation.py::test_a_stale_step_is_left",
    ),
    (
        "network boot is disarmed only after the machine has durably said that it is installed",
        DEADLINES + "test_a_lost_hand_over_report_is_made_up_for_by_the_system_itself",
        "kill/test_kill_machine.py::test_a_power_cut_at_the_hand_over_boots_the_disk",
    ),
    (
        "target disks are chosen by serial, WWN or a rule, never by the kernel's name",
        KILL_DISKS + "test_the_second_disk_is_the_target_and_the_first_is_not_touched",
        "agent/test_agent_steps.py::TestPrepareDisk::test_missing_ambiguous_read_only_replaced",
    ),
    (
        "a rule considers empty disks only",
        LIFE + "test_a_disk_with_content_is_never_chosen_by_itself",
        KILL_DISKS + "test_a_disk_with_content_is_overwritten_only_when_it_is_named",
    ),
    (
        "network interfaces are named by MAC",
        "agent/test_agent_installed.py::TestNetwork::test_ifupdown_gets_names_by_mac",
        "agent/test_agent_pure.py::TestNetwork::test_the_card_that_booted",
    ),
    (
        "an erase that did nothing is a failure",
        "agent/test_agent_steps.py::TestWipeDisk::test_an_erase_that_did_nothing_is_a_failure",
    ),
    ("methods are verified", "agent/test_wipe_methods.py::test_old_data_in_one_place_alone_is_found"),
    (
        "and recorded",
        "agent/test_agent_steps.py::TestWipeDisk::test_nothing_is_left",
        LIFE + "test_the_timeline_tells_it_all_with_reasons",
    ),
    (
        "clock skew never locks a machine out: it gets the time before it checks a certificate",
        "agent/test_agent_conversation.py::test_the_clock_is_set_before_any_tls",
    ),
    (
        "the console lists every MAC seen, and how far it came",
        "reconcile/test_watch.py::test_a_boot_is_followed_stage_by_stage",
        "test_daemon_network.py::test_firmware_that_asks_and_goes_nowhere_is_seen_with_its_stage",
    ),
    (
        "with the likely cause, slow spanning tree included",
        "reconcile/test_sightings.py::test_likely_cause",
        "reconcile/test_sightings.py::test_every_stage_has_a_text_and_a_cause",
    ),
    (
        "DHCP keeps serving while the console is stuck",
        "test_daemon_busy_console.py::test_machines_are_served_while_the_console_has_its_hands_full",
    ),
    (
        "DHCP keeps serving while the database writer is stuck",
        STUCK + "test_who_has_an_address_goes_on_and_nobody_gets_a_new_one_until_the_disk_is_back",
        CLIENTS + "test_stuck_disk_stops_newcomers_only",
    ),
    (
        "DHCP keeps serving while a storage command is stuck",
        "test_daemon_busy_console.py::test_a_program_that_hangs_stops_nobody",
    ),
    (
        "an error on a machine shows in the console",
        "netboot/http/test_boot_screens.py::test_what_stands_on_a_screen_is_told",
        "contract/test_screen_codes.py::test_a_trouble_on_the_screen_is_found_by_its_code",
    ),
    (
        "and on the machine's own screen: which URL, what went wrong, what to do",
        SCRIPTS + "test_what_failed_is_shown_as_words_and_asked_again_for_ever",
        SCRIPTS + "test_what_a_machine_waits_for_and_its_code_stand_on_its_screen",
        SCRIPTS + "test_what_to_do_stands_above_the_code",
        "agent/test_agent_conversation.py::test_an_incomplete_command_line_says_what_is_missing",
    ),
)

SECTIONS = {
    "DHCPv4": DHCP,
    "PXE and UEFI": PXE,
    "TFTP": TFTP_STATEMENTS,
    "DNS": DNS_STATEMENTS,
    "Robustness": ROBUSTNESS,
}
STATEMENTS = tuple(statement for section in SECTIONS.values() for statement in section)
