// The way of a message read from its Received fields: which servers, how long each hop took, what was encrypted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "message/dsn.hpp"
#include "message/received.hpp"

namespace facteur::message {

// One step of the way, in order of time (the reverse of the header's order).
struct Hop {
  Received field;
  std::vector<std::string> added;  // Names of other fields this server (or its filters) put above its Received field.
  bool smtp = false;               // Came by a network protocol of mail (RFC 5321 §4.4: with SMTP, ESMTP..., LMTP).
  bool local = false;              // Handed over inside one machine: a pipe, a local program, loopback.
  bool encrypted = false;          // TLS, by keyword or clause.
  bool authenticated = false;      // RFC 3848 keyword with A.
  std::optional<std::int64_t> delay_seconds;  // Since the hop before, or since Date for the first; may be negative.
  bool clock_skew = false;                    // The delay is negative.
};

struct Server {
  std::string name;
  std::optional<IpAddress> ip;
};

struct Trace {
  std::string from;  // From field, decoded.
  std::string to;
  std::string subject;
  std::string message_id;
  std::string return_path;  // Without angle brackets; "" with has_return_path: the null path.
  bool has_return_path = false;
  std::string delivered_to;
  std::optional<ZonedTime> date;
  std::vector<Hop> hops;
  std::vector<Server> servers;  // Distinct, in the order the message met them; the sender's machine first.
  std::optional<std::int64_t> total_seconds;  // From Date (or the first hop) to the last hop.
  std::vector<std::string> added_by_sender;   // Names of the fields below all Received fields.
};

Trace analyse_trace(Bytes message);

std::string write_trace(const Trace& trace, Language language);  // For people: UTF-8, lines ended by LF.
std::string write_trace_json(const Trace& trace);                // One JSON object, one line.

}  // namespace facteur::message
