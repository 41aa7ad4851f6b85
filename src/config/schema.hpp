// The configuration as plain values, one struct per table of facteur.toml. What each member means, its unit, its limits
// and its RFC stand once, in describe.cpp; parser, checker, reference page and example are made from that.
//
// A Config that you hold is complete and valid: it came out of config::load(), or is made by a test from defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "config/limits.hpp"

namespace facteur::config {

// [server]
struct Server {
  std::string data = "/var/lib/facteur";
  std::string control_socket;  // Empty: <data>/control.sock.
  std::uint64_t shards = 0;    // 0: one per core.
  enum class LogFormat : std::uint8_t { text, json };
  LogFormat log_format = LogFormat::json;
  enum class LogLevel : std::uint8_t { debug, info, warning, error };
  LogLevel log_level = LogLevel::info;
  bool sandbox = true;
  enum class Processes : std::uint8_t { automatic, one, three };
  Processes processes = Processes::automatic;
  std::string user = "facteur";
  std::optional<Endpoint> metrics;  // /metrics and /healthz; absent: none.
  std::string instance;             // Refuse to start on a data directory with another instance id (DECISIONS.md 16).
};

// [[listener]]
struct Listener {
  std::string name;  // For the log; made from protocol and port if absent.
  IpAddress address;
  std::uint16_t port = 0;
  enum class Protocol : std::uint8_t { exchanger, submission, lmtp, imap, pop3 };
  Protocol protocol = Protocol::exchanger;
  enum class Tls : std::uint8_t { none, starttls, implicit };
  Tls tls = Tls::starttls;
  bool plaintext_login = false;  // Only on a loopback address (DECISIONS.md 27).
};

// [[tls.certificate]]
struct Certificate {
  std::string certificate;  // PEM file: the chain, leaf first.
  std::string key;          // PEM file.
};

// [tls]
struct Tls {
  std::vector<Certificate> certificates;  // Empty: a self-signed one is made in <data>/keys.
};

// [smtp]
struct Smtp {
  std::string banner;         // Behind the host name in the greeting; empty: "ESMTP Facteur".
  bool require_fqdn = false;  // Refuse EHLO names without a dot at the exchanger.
  bool add_received_ip = true;
  bool etrn = true;  // Obey ETRN (RFC 1985).
  bool vrfy = false;
};

// [queue]
struct Queue {
  std::vector<Duration> retry{5min, 10min, 15min, 30min, 1h, 2h, 4h};  // The last one repeats.
  Duration expiry = 120h;
  Duration delay_notice = 4h;  // 0: none.
  Duration bounce_expiry = 48h;
};

// [[delivery.route]]: mail for these domains goes to this host instead of to their MX.
struct Route {
  std::vector<std::string> domains;  // "*" stands for all others.
  std::string host;                  // A name or an address.
  std::uint16_t port = 25;
  enum class Protocol : std::uint8_t { smtp, lmtp };
  Protocol protocol = Protocol::smtp;
};

// [delivery.smarthost]: all mail for elsewhere goes through it.
struct Smarthost {
  std::string host;
  std::uint16_t port = 587;
  enum class Tls : std::uint8_t { starttls, implicit, opportunistic };
  Tls tls = Tls::starttls;
  std::string login;          // Empty: no authentication.
  std::string password;       // Read from password_file; never written anywhere.
  std::string password_file;  // Its first line.
};

// [delivery]
struct Delivery {
  std::uint16_t port = 25;  // DECISIONS.md 29.
  std::optional<IpAddress> source_address;
  std::optional<Smarthost> smarthost;
  std::vector<Route> routes;
  std::vector<std::string> relay_domains;  // Taken from anybody, though the mailboxes are elsewhere (backup MX).
  std::uint64_t concurrency = 100;         // Attempts at once.
  std::uint64_t concurrency_per_destination = 10;
  std::uint64_t messages_per_connection = 100;
  Duration connect_timeout = 30s;
  bool tls = true;              // Use STARTTLS where it is offered (opportunistic, RFC 7435).
  bool allow_loopback = false;  // Deliver to 127.0.0.0/8 and to ourselves (tests, several servers on one machine).
};

// [dns]
struct Dns {
  enum class Mode : std::uint8_t { system, forward, recurse, zone };
  // [[dns.stub]]: names in `zone` are asked of its own servers, whatever the mode.
  struct Stub {
    std::string zone;
    std::vector<Endpoint> servers;
  };
  Mode mode = Mode::system;
  std::vector<Endpoint> forwarders;  // For mode = "forward".
  std::string zone_file;             // Names answered from it first, in every mode.
  std::string trust_anchor_file;     // DS or DNSKEY records; empty: nothing is validated.
  Duration timeout = 10s;
  std::vector<Stub> stubs;
};

// [directory]
struct Directory {
  struct CatchAll {
    std::string domain;
    std::string address;
  };
  std::vector<CatchAll> catch_all;
  std::string subaddress_separator = "+";  // Empty: none (RFC 5233).
  std::uint64_t quota = 0;                 // Of new accounts, octets; 0: none.
  std::uint64_t argon2_memory = 19 * 1024 * 1024;
  std::uint64_t argon2_passes = 2;
  Duration login_cache = 5min;  // How long a verified password is remembered (as a keyed hash, in memory).
};

// [keeping]
struct Keeping {
  Duration deleted = 720h;     // Expunged mail, deleted folders and accounts can be restored so long.
  Duration tombstones = 720h;  // Clients that were away longer synchronise from the beginning.
  Duration round = 24h;        // Every account is looked after once in this time.
};

struct Config {
  std::string hostname;
  std::vector<std::string> domains;
  std::string postmaster;

  Server server;
  std::vector<Listener> listeners;  // Never empty after load(): the defaults are 25, 465, 587, 143, 993, 110, 995.
  Tls tls;
  Limits limits;
  Smtp smtp;
  Queue queue;
  Delivery delivery;
  Dns dns;
  Directory directory;
  Keeping keeping;

  std::string control_socket() const {
    return server.control_socket.empty() ? server.data + "/control.sock" : server.control_socket;
  }
};

// The listeners of a configuration that has none: the ports of RFC 8314 §3 and of their standards, on all addresses.
std::vector<Listener> default_listeners();

}  // namespace facteur::config
