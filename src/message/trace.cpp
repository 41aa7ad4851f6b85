#include "message/trace.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "message/address.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t max_hops = 1'000;

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::ranges::search(text, part, [](char a, char b) {
           return ascii::to_lower(a) == ascii::to_lower(b);
         }).begin() != text.end();
}

bool same_host(std::string_view a, std::string_view b) { return !a.empty() && ascii::equal_ignoring_case(a, b); }

bool is_loopback(std::string_view name, const std::optional<IpAddress>& ip) {
  return (ip && ip->is_loopback()) || ascii::equal_ignoring_case(name, "localhost") ||
         ascii::starts_with_ignoring_case(name, "localhost.");
}

// The address counts, which the server saw itself; only without it the name.
bool from_inside(const Received& field) {
  return field.from_ip ? field.from_ip->is_loopback() : is_loopback(field.from, std::nullopt);
}

// What a keyword of RFC 3848 and RFC 6531 tells: "ESMTPSA", "LMTPS", "UTF8SMTPA"; in any case of letters.
void take_keyword(Hop& hop) {
  std::string_view with = hop.field.with;
  with = with.substr(0, with.find_first_of(" ("));
  const auto starts = [&](std::string_view prefix) { return ascii::starts_with_ignoring_case(with, prefix); };
  std::string_view rest;
  for (const std::string_view name : {"UTF8SMTP", "UTF8LMTP", "ESMTP", "SMTP", "LMTP"}) {
    if (starts(name)) {
      hop.smtp = true;
      rest = with.substr(name.size());
      break;
    }
  }
  if (rest.size() <= 2) {
    hop.encrypted = hop.encrypted || rest.find_first_of("sS") != std::string_view::npos;
    hop.authenticated = rest.find_first_of("aA") != std::string_view::npos;
  }
  // "Microsoft SMTP Server", "Microsoft SMTPSVC".
  hop.smtp = hop.smtp || contains_ignoring_case(hop.field.with, "SMTP");
  // Without a word, an address of a peer can only come from a network protocol.
  if (hop.field.with.empty() && hop.field.invoked.empty() && hop.field.from_ip) hop.smtp = true;
}

Hop make_hop(Received field) {
  Hop hop;
  hop.field = std::move(field);
  const auto& f = hop.field;
  hop.encrypted = !f.tls_version.empty() || !f.tls_cipher.empty();
  take_keyword(hop);
  hop.local = from_inside(f) || !f.invoked.empty() || ascii::equal_ignoring_case(f.with, "local");
  return hop;
}

// The names of the fields in front of each Received field, and the hops, in the order of the header.
void read_fields(Trace& trace, Bytes message) {
  std::vector<std::string> between;
  FieldScanner scanner(message);
  const auto text = [](const Field& field) { return decoded_text(field.value.substr(0, 8192)); };
  for (Field field; scanner.next(field);) {
    if (field.name.empty()) continue;
    if (field.is("Received")) {
      auto received = parse_received(field.value);
      if (received && trace.hops.size() < max_hops) {
        trace.hops.push_back(make_hop(std::move(*received)));
        trace.hops.back().added = std::exchange(between, {});
      }
      continue;
    }
    if (between.size() < max_hops) between.emplace_back(field.name);
    if (field.is("From") && trace.from.empty()) trace.from = text(field);
    if (field.is("To") && trace.to.empty()) trace.to = text(field);
    if (field.is("Subject") && trace.subject.empty()) trace.subject = text(field);
    if (field.is("Message-ID") && trace.message_id.empty()) trace.message_id = text(field);
    if (field.is("Delivered-To") && trace.delivered_to.empty()) trace.delivered_to = text(field);
    if (field.is("Date") && !trace.date) trace.date = parse_date(field.value);
    if (field.is("Return-Path") && !trace.has_return_path) {
      const auto path = parse_path(unfolded(field.value), true);
      trace.has_return_path = path.has_value();
      if (path && path->address) trace.return_path = path->address->text();
    }
  }
  trace.added_by_sender = std::move(between);
}

// The host that wrote the field; what calls itself localhost tells its real name in the comment, if at all.
std::string receiving_host(const Received& field, const std::vector<Server>& servers) {
  if (!is_loopback(field.by, field.by_ip)) return field.by;
  const std::string_view comment = field.by_comment;
  const std::string_view first = comment.substr(0, comment.find_first_of(" ["));
  if (first.find('.') != std::string_view::npos && !is_loopback(first, IpAddress::parse(first))) {
    return std::string(first);
  }
  return servers.empty() ? field.by : servers.back().name;
}

void add_server(std::vector<Server>& servers, Server server) {
  const auto known = std::ranges::find_if(servers, [&](const Server& s) { return same_host(s.name, server.name); });
  if (known == servers.end()) {
    servers.push_back(std::move(server));
  } else if (!known->ip) {
    known->ip = server.ip;
  }
}

std::string sending_host(const Received& field) {
  if (!field.from_reverse.empty()) return field.from_reverse;
  return field.from.starts_with('[') ? std::string() : field.from;
}

void link_servers(Trace& trace) {
  for (std::size_t i = 0; i < trace.hops.size(); ++i) {
    Hop& hop = trace.hops[i];
    const Received& field = hop.field;
    const bool from_outside = !from_inside(field);
    if (i == 0) {
      const bool told = from_outside && (field.from_ip || !sending_host(field).empty());
      if (told) trace.servers.push_back(Server{sending_host(field), field.from_ip, true});
    } else if (from_outside && (field.from_ip || !field.from.empty())) {
      const std::string before = receiving_host(trace.hops[i - 1].field, trace.servers);
      const bool linked = same_host(before, field.from) || same_host(before, field.from_reverse);
      hop.gap = !linked;
      add_server(trace.servers, Server{linked ? before : sending_host(field), field.from_ip, false});
    }
    if (!field.by.empty()) add_server(trace.servers, Server{receiving_host(field, trace.servers), std::nullopt, false});
  }
}

void measure(Trace& trace) {
  std::optional<std::int64_t> start;
  std::optional<std::int64_t> before;
  if (trace.date) start = before = trace.date->time.seconds();
  for (Hop& hop : trace.hops) {
    if (!hop.field.date) continue;
    const std::int64_t at = hop.field.date->time.seconds();
    if (!start) start = at;
    if (before) hop.delay_seconds = at - *before;
    hop.clock_skew = hop.delay_seconds && *hop.delay_seconds < 0;
    before = at;
    trace.total_seconds = at - *start;
  }
}

}  // namespace

Trace analyse_trace(Bytes message) {
  Trace trace;
  read_fields(trace, message);
  std::ranges::reverse(trace.hops);  // RFC 5321 §4.4: each server writes its field above the others.
  link_servers(trace);
  measure(trace);
  return trace;
}

}  // namespace facteur::message
