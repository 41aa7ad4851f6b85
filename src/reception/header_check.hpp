// What a header tells the reception: loops, forged senders, what a submission lacks. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "message/address.hpp"

namespace facteur::reception {

struct HeaderFacts {
  std::size_t received = 0;               // RFC 5321 §6.3: hops so far.
  std::vector<std::string> delivered_to;  // RFC 9228: addresses as they stand, lower case.
  std::size_t from_fields = 0;
  std::vector<message::Address> from;  // Of the From fields, as far as they can be read.
  // A From that cannot be read for certain (message::parse_authors), or a line that some readers take for one.
  bool from_damaged = false;
  bool sender = false, resent = false;  // Sender; Resent-From or Resent-Sender.
  bool date = false, message_id = false, bcc = false;
  bool eight_bit = false;    // Octets above 127 in the header: internationalised (RFC 6532).
  bool starts_well = false;  // The first line is a field (or the header is empty).
};

// `header` ends behind its blank line, or is the whole message if there is none.
HeaderFacts examine_header(Bytes header);

// The same header without its Bcc and Resent-Bcc fields (RFC 5322 §3.6.3; RFC 6409 §8).
std::string without_bcc(Bytes header);

}  // namespace facteur::reception
