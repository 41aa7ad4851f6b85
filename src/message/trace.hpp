// The way of a message read from its Received fields: which servers, how long each hop took, what was encrypted.
//
// All of it is what the servers say of themselves: only the fields of servers one trusts prove anything.
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
  std::vector<std::string> added;  // Names of other fields that stand between this Received field and the one above:
                                   // what this server and its filters put there.
  bool smtp = false;               // Came by SMTP or LMTP (RFC 5321 §4.4, RFC 3848), not by HTTP, UUCP, a pipe...
  bool local = false;              // Within one machine: loopback, a local program.
  bool encrypted = false;          // TLS, by keyword (RFC 3848) or by what the field tells of it.
  bool authenticated = false;      // RFC 3848: the keyword ends with A.
  bool gap = false;                // It came from another host than the hop before went to: a step is not recorded, or
                                   // a host has two names.
  std::optional<std::int64_t> delay_seconds;  // Since the hop before, or since Date for the first; may be negative.
  bool clock_skew = false;                    // The delay is negative: one of the two clocks is wrong.
};

struct Server {
  std::string name;
  std::optional<IpAddress> ip;  // As the next one saw it.
  bool origin = false;          // Where the message was handed in from: no server, or not one that tells.
};

struct Trace {
  std::string from;  // From field, decoded.
  std::string to;
  std::string subject;
  std::string message_id;
  std::string return_path;  // Without angle brackets; empty with has_return_path: the null path.
  bool has_return_path = false;
  std::string delivered_to;
  std::optional<ZonedTime> date;
  std::vector<Hop> hops;
  std::vector<Server> servers;                // Distinct, in the order the message met them.
  std::optional<std::int64_t> total_seconds;  // From Date, or else from the first hop, to the last hop.
  std::vector<std::string> added_by_sender;   // Names of the fields below all Received fields.
};

// Looks at no more than the first 1,000 Received fields.
Trace analyse_trace(Bytes message);

std::string write_trace(const Trace& trace, Language language);  // For people: UTF-8, lines ended by LF.
std::string write_trace_json(const Trace& trace);                // One JSON object, one line.

}  // namespace facteur::message
