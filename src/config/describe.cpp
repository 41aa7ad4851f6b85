#include "config/describe.hpp"

#include <array>

#include "config/option_values.hpp"

namespace facteur::config {

namespace {

using Names = std::span<const std::string_view>;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

// A table that is there once.
template <class Table>
Subtable single(std::string_view name, std::string_view sentence, Table& table, void (*describe)(Table&, Visitor&)) {
  Subtable out;
  out.name = name;
  out.sentence = sentence;
  out.size = [] { return std::size_t{1}; };
  out.grow = [] {};
  out.describe = [&table, describe](std::size_t, Visitor& visitor) { describe(table, visitor); };
  return out;
}

// A table that may be absent.
template <class Table>
Subtable optional(std::string_view name, std::string_view sentence, std::optional<Table>& table,
                  void (*describe)(Table&, Visitor&)) {
  Subtable out;
  out.name = name;
  out.sentence = sentence;
  out.size = [&table] { return std::size_t{table ? 1U : 0U}; };
  out.grow = [&table] { table.emplace(); };
  out.describe = [&table, describe](std::size_t, Visitor& visitor) { describe(*table, visitor); };
  return out;
}

// [[name]]
template <class Table>
Subtable repeated(std::string_view name, std::string_view sentence, std::vector<Table>& tables,
                  void (*describe)(Table&, Visitor&)) {
  Subtable out;
  out.name = name;
  out.sentence = sentence;
  out.repeated = true;
  out.size = [&tables] { return tables.size(); };
  out.grow = [&tables] { tables.emplace_back(); };
  out.describe = [&tables, describe](std::size_t index, Visitor& visitor) { describe(tables[index], visitor); };
  return out;
}

void describe_server(Server& t, Visitor& v) {
  static constexpr std::array<std::string_view, 2> formats{"text", "json"};
  static constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
  static constexpr std::array<std::string_view, 3> processes{"automatic", "one", "three"};
  v.option(text({"data", "Folder of everything the server keeps: log, index, keys, control socket."}, t.data));
  v.option(text({"control_socket", "Path of the local socket for commands; empty: control.sock in the data folder."},
                t.control_socket));
  v.option(number({"shards", "Threads that serve connections; 0: one per processor core."}, t.shards, {0, 256}));
  v.option(choice({"log_format", "How log lines are written to standard error."}, Names(formats), t.log_format));
  v.option(choice({"log_level", "The least important events that are logged."}, Names(levels), t.log_level));
  v.option(
      choice({"processes",
              "three: a keeper that holds the ports and starts the others anew, a server without private keys, and "
              "the keys. one: all in one. automatic: three when started as root and there is the user, or by a "
              "service manager on a system with Landlock; else one."},
             Names(processes), t.processes));
  v.option(
      text({"user", "The user that the server becomes when it is started as root, with three processes."}, t.user));
  v.option(flag(
      {"sandbox", "Give up, for good, all system calls (seccomp) and paths (Landlock) that the server does not need."},
      t.sandbox));
  v.option(endpoint({"metrics", "Where /metrics (Prometheus) and /healthz are served over HTTP; empty: nowhere."},
                    t.metrics));
  v.option(
      text({"instance",
            "Id of the data folder this configuration belongs to (facteur status shows it); when set, the server "
            "refuses to start on another or an empty one, so that a lost mount never looks like an empty mailbox."},
           t.instance));
}

void describe_listener(Listener& t, Visitor& v) {
  static constexpr std::array<std::string_view, 5> protocols{"exchanger", "submission", "lmtp", "imap", "pop3"};
  static constexpr std::array<std::string_view, 3> modes{"none", "starttls", "implicit"};
  v.option(choice({"protocol",
                   "exchanger takes mail for our domains from anybody, submission takes mail for anywhere from those "
                   "who log in, lmtp hands mail to mailboxes on the local machine.",
                   "RFC 5321, RFC 6409, RFC 2033, RFC 9051, RFC 1939", true},
                  Names(protocols), t.protocol));
  v.option(port({"port", "TCP port to listen on; below 1024 needs root or CAP_NET_BIND_SERVICE.", "RFC 8314 §3", true},
                t.port));
  v.option(
      ip_address({"address", "Address to listen on; 0.0.0.0 is all IPv4 addresses, :: all IPv6 ones."}, t.address));
  v.option(
      choice({"tls", "starttls offers it after the greeting, implicit speaks TLS from the first octet, none never.",
              "RFC 3207, RFC 8314 §3.3"},
             Names(modes), t.tls));
  v.option(
      flag({"plaintext_login", "Let clients log in without TLS; possible on a loopback address only.", "RFC 8314 §3"},
           t.plaintext_login));
  v.option(text({"name", "Name in logs and metrics; empty: made of protocol and port."}, t.name));
}

void describe_certificate(Certificate& t, Visitor& v) {
  v.option(text({"certificate", "PEM file with the certificate chain, the server's own one first.", {}, true},
                t.certificate));
  v.option(text({"key", "PEM file with the private key.", {}, true}, t.key));
}

void describe_tls(Tls& t, Visitor& v) {
  v.table(repeated("certificate",
                   "A certificate and its key; the first is the default, others answer to the names they hold (SNI). "
                   "Without any, a self-signed one is made in <data>/keys. Changed files are taken up by themselves.",
                   t.certificates, describe_certificate));
}

void describe_mail_limits(Limits& t, Visitor& v) {
  v.option(size({"message_size", "Largest message taken over any protocol.", "RFC 1870 §4"}, t.message_size,
                {64 * kib, 2048 * mib}));
  v.option(
      number({"recipients", "Recipients of one SMTP transaction; more are told to come again.", "RFC 5321 §4.5.3.1.8"},
             t.recipients, {100, 100000}));
  v.option(number({"recipients_refused", "Unknown recipients in one session before it is ended (421)."},
                  t.recipients_refused, {5, 100000}));
  v.option(
      number({"messages_per_connection", "SMTP transactions of one session before it is ended (421).", "RFC 5321 §3.8"},
             t.messages_per_connection, {1, 1000000}));
  v.option(number({"errors_per_connection", "Wrong commands of one session before it is ended."},
                  t.errors_per_connection, {3, 10000}));
  v.option(
      number({"received_fields", "Received fields from which a message is taken to go in circles.", "RFC 5321 §6.3"},
             t.received_fields, {100, 1000}));
}

void describe_session_limits(Limits& t, Visitor& v) {
  v.option(size({"smtp_line", "Longest SMTP command line, CRLF included.", "RFC 5321 §4.5.3.1.4"}, t.smtp_line,
                {1000, 64 * kib}));
  v.option(size({"imap_line_before_login", "Longest IMAP command before login."}, t.imap_line_before_login,
                {kib, 64 * kib}));
  v.option(size({"imap_line", "Longest IMAP command after login, without its literals.", "RFC 7162 §4"}, t.imap_line,
                {8 * kib, mib}));
  v.option(number({"connections", "Connections open at once, all listeners together."}, t.connections, {10, 1000000}));
  v.option(number({"connections_per_address", "Connections open at once from one address; loopback is not counted."},
                  t.connections_per_address, {1, 1000000}));
  v.option(number({"connections_per_network",
                   "Connections open at once from one network (IPv4: /24, IPv6: /56); loopback is not counted."},
                  t.connections_per_network, {1, 1000000}));
  v.option(number({"guesses_per_login",
                   "Wrong passwords an hour that are looked at for one login; who logged in well from an address is "
                   "still let in from there."},
                  t.guesses_per_login, {2, 1000000}));
  v.option(number({"guesses_per_network",
                   "Wrong passwords an hour that are looked at from one network (IPv4: /24, IPv6: /64), ten times as "
                   "many where people have logged in; loopback is not counted."},
                  t.guesses_per_network, {2, 1000000}));
}

void describe_timeouts(Limits& t, Visitor& v) {
  v.option(duration(
      {"smtp_command_timeout", "How long an SMTP client may take for its next command.", "RFC 5321 §4.5.3.2.7"},
      t.smtp_command_timeout, 5s, 1h));
  v.option(duration({"smtp_data_timeout", "How long an SMTP client may pause inside a message.", "RFC 5321 §4.5.3.2.5"},
                    t.smtp_data_timeout, 5s, 1h));
  v.option(
      number({"smtp_least_rate",
              "Octets a second that a message must come at on average, once smtp_data_timeout has passed; 0: any."},
             t.smtp_least_rate, {0, 1000000}));
  v.option(duration({"imap_idle_timeout", "How long an IMAP client may be silent after login.", "RFC 9051 §5.4"},
                    t.imap_idle_timeout, 30min, 24h));
  v.option(duration({"imap_login_timeout", "How long an IMAP client may be silent before login."}, t.imap_login_timeout,
                    10s, 1h));
  v.option(
      duration({"pop3_timeout", "How long a POP3 client may be silent.", "RFC 1939 §3"}, t.pop3_timeout, 10min, 24h));
  v.option(
      duration({"tls_handshake_timeout", "How long the TLS handshake may take."}, t.tls_handshake_timeout, 1s, 10min));
  v.option(
      duration({"drain_timeout", "How long sessions get to end when the server stops."}, t.drain_timeout, 0s, 10min));
}

void describe_limits(Limits& t, Visitor& v) {
  describe_mail_limits(t, v);
  describe_session_limits(t, v);
  describe_timeouts(t, v);
}

void describe_smtp(Smtp& t, Visitor& v) {
  v.option(text({"banner", "What follows the host name in the greeting; empty: \"ESMTP Facteur\".", "RFC 5321 §4.2"},
                t.banner));
  v.option(flag({"require_fqdn", "Refuse EHLO names without a dot on exchanger listeners.", "RFC 5321 §4.1.1.1"},
                t.require_fqdn));
  v.option(
      flag({"add_received_ip", "Write the address of the client into the Received field of mail that our users submit.",
            "RFC 5321 §4.4"},
           t.add_received_ip));
  v.option(flag({"etrn", "Obey ETRN: a client asks that its waiting mail be tried now.", "RFC 1985"}, t.etrn));
  v.option(flag({"vrfy", "Answer VRFY with whether an address exists, instead of 252.", "RFC 5321 §7.3"}, t.vrfy));
}

void describe_queue(Queue& t, Visitor& v) {
  v.option(durations(
      {"retry", "Waits between attempts to deliver; the last one repeats until the mail expires.", "RFC 5321 §4.5.4.1"},
      t.retry));
  v.option(duration({"expiry", "How long we try before the mail goes back to its sender.", "RFC 5321 §4.5.4.1"},
                    t.expiry, 1min, 720h));
  v.option(duration({"delay_notice", "When the sender is told that mail is late; 0s: never.", "RFC 3461 §4.1"},
                    t.delay_notice, 0s, 720h));
  v.option(duration({"bounce_expiry", "How long we try to deliver a bounce.", "RFC 5321 §4.5.5"}, t.bounce_expiry, 1min,
                    720h));
}

void describe_route(Route& t, Visitor& v) {
  static constexpr std::array<std::string_view, 2> protocols{"smtp", "lmtp"};
  v.option(
      names_of_hosts({"domains", "Domains of recipients; \"*\": all that no other route names.", {}, true}, t.domains));
  v.option(text({"host", "Name or address of the host that takes the mail.", {}, true}, t.host));
  v.option(port({"port", "Its TCP port."}, t.port));
  v.option(choice({"protocol", "How it is spoken to.", "RFC 5321, RFC 2033"}, Names(protocols), t.protocol));
}

void describe_smarthost(Smarthost& t, Visitor& v) {
  static constexpr std::array<std::string_view, 3> modes{"starttls", "implicit", "opportunistic"};
  v.option(name_of_host({"host", "Name of the host that relays for us.", "RFC 6409", true}, t.host));
  v.option(port({"port", "Its TCP port."}, t.port));
  v.option(choice({"tls", "starttls and implicit refuse to go on without TLS.", "RFC 8314 §3.3"}, Names(modes), t.tls));
  v.option(text({"login", "Login name; empty: none.", "RFC 4954"}, t.login));
  v.option(text({"password_file", "File whose first line is the password."}, t.password_file));
}

void describe_delivery(Delivery& t, Visitor& v) {
  v.option(port({"port", "TCP port of other domains' mail exchangers; another than 25 is for tests on one machine."},
                t.port));
  v.option(ip_address({"source_address", "Address our deliveries come from; empty: what the system chooses."},
                      t.source_address));
  v.option(names_of_hosts(
      {"relay_domains", "Domains we take mail for from anybody and pass on (backup MX).", "RFC 5321 §3.6.2"},
      t.relay_domains));
  v.option(number({"concurrency", "Deliveries under way at once."}, t.concurrency, {1, 100000}));
  v.option(number({"concurrency_per_destination", "Deliveries under way at once to one destination."},
                  t.concurrency_per_destination, {1, 1000}));
  v.option(
      number({"messages_per_connection", "Messages sent over one connection."}, t.messages_per_connection, {1, 10000}));
  v.option(duration({"connect_timeout", "How long a connection to one address may take to open.", "RFC 5321 §4.5.3.2"},
                    t.connect_timeout, 1s, 10min));
  v.option(flag({"tls", "Use STARTTLS wherever it is offered.", "RFC 7435 §3"}, t.tls));
  v.option(flag({"allow_loopback", "Deliver to hosts at loopback addresses: several servers on one machine."},
                t.allow_loopback));
  v.table(optional("smarthost", "All mail for elsewhere goes through this host.", t.smarthost, describe_smarthost));
  v.table(repeated("route", "Mail for some domains goes to a fixed host instead of to their MX.", t.routes,
                   describe_route));
}

void describe_stub(Dns::Stub& t, Visitor& v) {
  v.option(name_of_host({"zone", "The zone: this name and all below it.", {}, true}, t.zone));
  v.option(endpoints({"servers", "Authoritative servers of the zone, with port.", {}, true}, t.servers));
}

void describe_dns(Dns& t, Visitor& v) {
  static constexpr std::array<std::string_view, 4> modes{"system", "forward", "recurse", "zone"};
  v.option(choice({"mode",
                   "system uses the name servers of the machine, forward only the given ones, recurse begins at the "
                   "root servers itself, zone asks nobody but the servers of [[dns.stub]]: every other name is "
                   "refused."},
                  Names(modes), t.mode));
  v.option(endpoints({"forwarders", "Name servers to ask in mode \"forward\"."}, t.forwarders));
  v.option(text({"zone_file", "Records in master file form that are answered before anybody is asked.", "RFC 1035 §5"},
                t.zone_file));
  v.option(text({"trust_anchor_file",
                 "File with the DS or DNSKEY records that DNSSEC validation begins at; on Debian dns-root-data has "
                 "/usr/share/dns/root.key. Empty: no validation. With it an answer that is proved wrong counts as no "
                 "answer: the mail waits. Name servers that are asked must pass signatures on.",
                 "RFC 4035 §4.4, RFC 4035 §4.3"},
                t.trust_anchor_file));
  v.option(duration({"timeout", "How long one question may take."}, t.timeout, 1s, 2min));
  v.table(repeated("stub", "A zone whose own servers are asked directly, in every mode: internal domains, tests.",
                   t.stubs, describe_stub));
}

void describe_catch_all(Directory::CatchAll& t, Visitor& v) {
  v.option(name_of_host({"domain", "One of our domains.", {}, true}, t.domain));
  v.option(mail_address({"address", "Who gets mail for users of that domain who do not exist.", {}, true}, t.address));
}

void describe_directory(Directory& t, Visitor& v) {
  v.option(text({"subaddress_separator", "Character between user and detail: anne+shop@... reaches anne; empty: none.",
                 "RFC 5233"},
                t.subaddress_separator));
  v.option(size({"quota", "Quota of new accounts; 0: none.", "RFC 9208"}, t.quota, {0, 1ULL << 50}));
  v.option(size({"argon2_memory", "Memory that hashing one password takes.", "RFC 9106 §4"}, t.argon2_memory,
                {8 * mib, 1024 * mib}));
  v.option(number({"argon2_passes", "Passes over that memory.", "RFC 9106 §4"}, t.argon2_passes, {1, 20}));
  v.option(duration({"login_cache", "How long a good login is remembered (keyed hash, in memory only); 0s: not."},
                    t.login_cache, 0s, 1h));
  v.table(repeated("catch_all", "Where mail for unknown users of a domain goes.", t.catch_all, describe_catch_all));
}

void describe_keeping(Keeping& t, Visitor& v) {
  v.option(duration({"deleted",
                     "How long expunged mail, deleted folders and deleted accounts can be restored (facteur undelete); "
                     "then they end for good."},
                    t.deleted, 0s, 24h * 3650));
  v.option(duration({"tombstones",
                     "How long the server remembers what has vanished; a client that was away longer reads its "
                     "mailboxes anew.",
                     "RFC 7162 §5"},
                    t.tombstones, 1h, 24h * 3650));
  v.option(duration({"round", "Each account is looked after once in this time, one after the other."}, t.round, 1min,
                    24h * 30));
}

}  // namespace

void describe(Config& c, Visitor& v) {
  v.option(name_of_host(
      {"hostname", "Name of this server in greetings, Received fields and certificates.", "RFC 5321 §2.3.5", true},
      c.hostname));
  v.option(
      names_of_hosts({"domains", "Domains whose mail we take; `facteur domain add` adds more.", {}, true}, c.domains));
  v.option(mail_address(
      {"postmaster", "Who reads mail to postmaster and abuse at every domain of ours that has no such user.",
       "RFC 5321 §4.5.1, RFC 2142", true},
      c.postmaster));
  v.table(single("server", "The process and its files. What is changed here takes effect at the next start.", c.server,
                 describe_server));
  v.table(
      repeated("listener",
               "A port we answer on. Without any: exchanger 25, submission 465 (implicit) and 587, imap 143 and 993 "
               "(implicit), pop3 110 and 995 (implicit), on all addresses.",
               c.listeners, describe_listener));
  v.table(single("tls", "Certificates.", c.tls, describe_tls));
  v.table(single("limits", "What one peer, or all together, can make us hold or do.", c.limits, describe_limits));
  v.table(single("smtp", "How we speak SMTP.", c.smtp, describe_smtp));
  v.table(single("queue", "Mail that waits.", c.queue, describe_queue));
  v.table(single("delivery", "Mail to other hosts.", c.delivery, describe_delivery));
  v.table(single("dns", "Who answers our questions about names.", c.dns, describe_dns));
  v.table(single("directory", "Accounts and addresses.", c.directory, describe_directory));
  v.table(single("keeping", "What happens to mail that was deleted.", c.keeping, describe_keeping));
}

}  // namespace facteur::config
