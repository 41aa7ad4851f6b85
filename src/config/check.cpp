#include "config/check.hpp"

#include <algorithm>
#include <set>

#include "config/option_values.hpp"

namespace facteur::config {

namespace {

using Report = std::function<void(std::string, std::string)>;

void check_listener(const Listener& l, const std::string& at, const Report& problem) {
  const bool login = l.protocol == Listener::Protocol::submission || l.protocol == Listener::Protocol::imap ||
                     l.protocol == Listener::Protocol::pop3;
  // RFC 8314 §3: no password over plaintext.
  if (l.plaintext_login && !l.address.is_loopback()) {
    problem(at + ".plaintext_login",
            "is possible on a loopback address only, and " + to_string(l.address) + " is not one");
  }
  if (login && l.tls == Listener::Tls::none && !l.plaintext_login) {
    problem(at + ".tls", "with none nobody could log in; use starttls or implicit");
  }
  // RFC 2033 §5: LMTP must not be used where anybody can reach it.
  if (l.protocol == Listener::Protocol::lmtp && !l.address.is_loopback()) {
    problem(at + ".address", "an lmtp listener has no login and is possible on a loopback address only");
  }
}

void check_listeners(const Config& c, const Report& problem) {
  std::set<Endpoint> taken;
  for (std::size_t i = 0; i < c.listeners.size(); ++i) {
    const auto& l = c.listeners[i];
    const std::string at = "listener[" + std::to_string(i) + "]";
    check_listener(l, at, problem);
    const Endpoint endpoint{l.address, l.port};
    if (l.port != 0 && !taken.insert(endpoint).second) {
      problem(at + ".port", "another listener has " + to_string(endpoint) + " already");
    }
  }
}

void check_delivery(const Config& c, const Report& problem) {
  const auto& d = c.delivery;
  if (d.smarthost && d.smarthost->login.empty() != d.smarthost->password_file.empty()) {
    problem("delivery.smarthost.password_file", "login and password_file belong together");
  }
  if (d.smarthost && !d.smarthost->login.empty() && d.smarthost->tls == Smarthost::Tls::opportunistic) {
    problem("delivery.smarthost.tls", "a password goes over TLS only; use starttls or implicit");
  }
  std::set<std::string> routed;
  for (std::size_t i = 0; i < d.routes.size(); ++i) {
    const std::string at = "delivery.route[" + std::to_string(i) + "]";
    if (!is_host_name(d.routes[i].host) && !IpAddress::parse(d.routes[i].host)) {
      problem(at + ".host", quoted(d.routes[i].host) + " is neither a host name nor an address");
    }
    for (const auto& domain : d.routes[i].domains) {
      if (!routed.insert(domain).second) problem(at + ".domains", "another route has " + domain + " already");
    }
  }
  for (const auto& domain : d.relay_domains) {
    if (domain == "*") problem("delivery.relay_domains", "\"*\" would make an open relay");
    if (std::ranges::find(c.domains, domain) != c.domains.end()) {
      problem("delivery.relay_domains", domain + " is one of our own domains");
    }
  }
}

}  // namespace

void check(const Config& c, const Report& problem) {
  if (std::ranges::find(c.domains, "*") != c.domains.end()) problem("domains", "\"*\" is not a domain");
  check_listeners(c, problem);
  check_delivery(c, problem);
  if (c.server.data.empty()) problem("server.data", "must not be empty");
  if (c.queue.retry.empty()) problem("queue.retry", "needs one wait at least");
  if (c.dns.mode == Dns::Mode::forward && c.dns.forwarders.empty()) {
    problem("dns.forwarders", "mode = \"forward\" needs one at least");
  }
  if (c.dns.mode == Dns::Mode::zone && c.dns.zone_file.empty() && c.dns.stubs.empty()) {
    problem("dns.zone_file", "mode = \"zone\" needs it, or a [[dns.stub]]");
  }
  if (c.directory.subaddress_separator.size() > 1) {
    problem("directory.subaddress_separator", "must be one character, or empty");
  }
}

std::vector<Listener> default_listeners() {
  using P = Listener::Protocol;
  using T = Listener::Tls;
  const IpAddress any = IpAddress::v4(0, 0, 0, 0);
  return {
      {"", any, 25, P::exchanger, T::starttls, false},    // RFC 5321 §4.5.4.2.
      {"", any, 465, P::submission, T::implicit, false},  // RFC 8314 §3.3.
      {"", any, 587, P::submission, T::starttls, false},  // RFC 6409 §3.1.
      {"", any, 143, P::imap, T::starttls, false},        // RFC 9051 §2.1.
      {"", any, 993, P::imap, T::implicit, false},        // RFC 8314 §3.2.
      {"", any, 110, P::pop3, T::starttls, false},        // RFC 1939 §3.
      {"", any, 995, P::pop3, T::implicit, false},
  };
}

}  // namespace facteur::config
