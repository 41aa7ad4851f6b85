// Feedback reports about messages: abuse and the like, in the Abuse Reporting Format (RFC 5965).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "message/builder.hpp"

namespace facteur::message {

enum class ComplaintKind : std::uint8_t { abuse, fraud, virus, other, not_spam };  // not_spam: RFC 6430.
std::optional<ComplaintKind> complaint_kind(std::string_view name);                // "abuse", "not-spam"...

struct Complaint {
  Correspondent from;
  std::vector<Correspondent> to{};
  Origin origin{};
  ComplaintKind kind = ComplaintKind::abuse;
  std::string user_agent = "facteur/1";
  std::string remark{};  // UTF-8, for people; empty: one sentence of ours.
  // RFC 5965 §3.2, each at most once.
  std::string envelope_id{};
  std::string mail_from{};  // "<user@example.org>" or "user@example.org"; empty: left out.
  std::optional<UtcTime> arrived{};
  std::string reporting_mta{};  // A host name.
  std::optional<IpAddress> source_ip{};
  std::optional<std::uint32_t> incidents{};
  // RFC 5965 §3.3, any number.
  std::vector<std::string> recipients{};
  std::vector<std::string> authentication_results{};
  std::vector<std::string> reported_domains{};
  std::vector<std::string> reported_uris{};
  Bytes original{};           // The message.
  bool headers_only = false;  // RFC 5965 §2: the message, or its header.
  Transport transport{};
};
// Refused: as build_message. What strings of the report hold is cleaned.
Result<Built> build_complaint(const Complaint& complaint);

}  // namespace facteur::message
