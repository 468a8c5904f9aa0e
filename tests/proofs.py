"""
For every keyword and option of msmtp's manual, the test that shows what it does.

``docs/generate.py`` makes a page of it; ``test_proofs.py`` proves that nothing is missing and
that every test is there. A keyword's option is shown by the keyword's test, and by
``tests/cli/test_msmtp.py``, whose tables hold every option to what it sets.
"""

from __future__ import annotations

__all__ = ["KEYWORDS", "OPTIONS"]

# keyword -> file and function of the test.
KEYWORDS = {
    "host": "tests/servers/test_ways.py::test_reaches_both_address_families",
    "port": "tests/config/test_finish.py::test_default_port",
    "source_ip": "tests/servers/test_ways.py::test_connects_from_the_source_address",
    "proxy_host": "tests/servers/test_ways.py::test_goes_through_a_proxy",
    "proxy_port": "tests/servers/test_ways.py::test_goes_through_microsocks",
    "socket": "tests/servers/test_ways.py::test_speaks_smtp_over_a_unix_socket",
    "timeout": "tests/delivery/test_route.py::test_patience",
    "protocol": "tests/servers/test_dovecot.py::test_delivers_over_lmtp",
    "domain": "tests/delivery/test_route.py::test_session_options",
    "auth": "tests/servers/test_login.py::test_uses_the_mechanism_that_is_named",
    "user": "tests/delivery/test_route.py::test_credentials",
    "password": "tests/config/test_secrets.py::test_first_source_that_has_it_wins",
    "passwordeval": "tests/servers/test_login.py::test_takes_the_password_from_a_command",
    "ntlmdomain": "tests/servers/test_exim.py::test_logs_in_with_ntlm",
    "tls": "tests/servers/test_login.py::test_needs_one_connection_with_tls_1_3",
    "tls_starttls": "tests/servers/test_login.py::test_starts_tls_before_the_password",
    "tls_trust_file": "tests/servers/test_certificates.py"
    "::test_unknown_authority_ends_the_session_before_the_login",
    "tls_crl_file": "tests/net/test_net_certificates.py"
    "::test_refuses_a_wrong_chain_before_a_byte_is_said",
    "tls_fingerprint": "tests/servers/test_certificates.py"
    "::test_other_certificate_than_the_pinned_is_refused",
    "tls_key_file": "tests/servers/test_certificates.py::test_shows_its_own_certificate",
    "tls_cert_file": "tests/servers/test_exim.py::test_logs_in_with_a_client_certificate",
    "tls_certcheck": "tests/servers/test_certificates.py::test_checks_can_be_turned_off",
    "tls_min_dh_prime_bits": "tests/delivery/test_route.py"
    "::test_every_keyword_about_the_way_is_used",
    "tls_priorities": "tests/servers/test_certificates.py::test_obeys_the_priorities",
    "tls_host_override": "tests/servers/test_certificates.py"
    "::test_expects_the_name_that_the_configuration_gives",
    "auto_from": "tests/config/test_finish.py::test_sender",
    "maildomain": "tests/config/test_finish.py::test_sender",
    "from": "tests/config/test_finish.py::test_sender",
    "from_full_name": "tests/cli/test_sending.py::test_full_name",
    "allow_from_override": "tests/config/test_finish.py::test_sender",
    "set_from_header": "tests/cli/test_sending.py::test_header_options",
    "set_date_header": "tests/cli/test_sending.py::test_header_options",
    "set_msgid_header": "tests/cli/test_sending.py::test_header_options",
    "set_to_header": "tests/cli/test_sending.py::test_set_to_header_names_the_recipients",
    "remove_bcc_headers": "tests/cli/test_sending.py::test_blind_copies_stay_blind",
    "dsn_notify": "tests/servers/test_extensions.py::test_asks_for_reports",
    "dsn_return": "tests/servers/test_extensions.py::test_asks_for_reports",
    "logfile": "tests/delivery/test_report.py::test_records_are_appended",
    "logfile_time_format": "tests/delivery/test_report.py::test_time",
    "syslog": "tests/delivery/test_report.py::test_syslog",
    "aliases": "tests/mail/test_aliases.py::test_syntax",
    "allow_plaintext_auth": "tests/delivery/test_route.py"
    "::test_a_secret_goes_elsewhere_by_order_only",
    "repair": "tests/cli/test_repairing.py::test_a_faulty_mail_is_repaired_on_its_way",
    "own_copies": "tests/cli/test_repairing.py::test_who_is_not_named_gets_a_copy_of_his_own",
    "queue": "tests/cli/test_handoff_way.py"
    "::test_without_a_service_he_keeps_it_himself_and_sends_it_at_once",
    "fallback": "tests/config/test_fallback.py::test_fallback_names_an_account_of_the_same_files",
    "bounce_to": "tests/delivery/test_notices.py::test_bounce_to_goes_before_all",
    "max_per_minute": "tests/delivery/test_budget.py::test_each_window_opens_again",
    "max_per_hour": "tests/delivery/test_budget.py::test_each_window_opens_again",
    "max_per_day": "tests/delivery/test_budget.py::test_each_window_opens_again",
}

# Option without a keyword (by what it is called in ``cli.msmtp``) -> file and function.
OPTIONS = {
    "version": "tests/cli/test_msmtp.py::test_version",
    "help": "tests/cli/test_msmtp.py::test_help_goes_to_standard_output",
    "pretend": "tests/cli/test_modes.py::test_pretend_prints_and_sends_nothing",
    "raw": "tests/cli/test_repairing.py::test_a_mail_is_left_as_it_is_on_demand",
    "debug": "tests/cli/test_modes.py::test_debug_shows_the_dialogue_without_the_login",
    "serverinfo": "tests/cli/test_modes.py::test_serverinfo_does_not_log_in",
    "rmqs": "tests/cli/test_modes.py::test_rmqs_reports_the_refusal",
    "configure": "tests/cli/test_configure.py::test_lines_are_a_configuration",
    "file": "tests/config/test_load.py::test_named_file_replaces_the_users_only",
    "account": "tests/servers/test_story.py::test_chooses_the_account",
    "read-recipients": "tests/cli/test_sending_envelope.py::test_recipients_from_the_header",
    "read-envelope-from": "tests/cli/test_sending_envelope.py::test_sender_from_the_header",
    "mode": "tests/cli/test_msmtp.py::test_option_is_refused",
    "no-password": "tests/cli/test_msmtp.py::test_a_password_in_argv_is_refused",
    "--direct": "tests/cli/test_handoff_way.py::test_a_mail_goes_one_way_and_no_other",
    "--queue": "tests/cli/test_handoff_way.py::test_queue_only_keeps_it",
    "--wait": "tests/cli/test_handoff_way.py::test_wait_without_a_service_is_said",
    "ignored": "tests/cli/test_msmtp.py::test_option_is_accepted_and_ignored",
}
