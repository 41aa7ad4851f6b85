// Message disposition notifications (RFC 8098): whether a message may be answered with "it was read", and the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "message/builder.hpp"
#include "message/dsn.hpp"

namespace facteur::message {

// What a message asks for, and what may be done about it.
struct ReadingRequest {
  enum class Answer : std::uint8_t {
    none,       // It asks for nothing.
    never,      // It asks, and no answer may be given.
    ask,        // Only if the person says yes for this message.
    automatic,  // RFC 8098 §2.1: also without asking, if the person has set that.
  };
  Answer answer = Answer::none;
  // Why: "null_sender", "report", "newsgroup", "unknown_option", "no_address" (never); "no_return_path",
  // "several_addresses", "other_address" (ask); empty otherwise.
  std::string_view why{};
  std::vector<Correspondent> to{};   // Each address once.
  std::string original_recipient{};  // Of the Original-Recipient field, "rfc822;user@example.org"; empty: none.
};
// `message` as it was delivered: its first Return-Path is the envelope's. Whether it was answered before (RFC 8098
// §2.1: once only) is known to the caller.
ReadingRequest reading_request(Bytes message);

enum class Fate : std::uint8_t { displayed, deleted, dispatched, processed };  // RFC 8098 §3.2.6.2.

struct ReadingNotice {
  Correspondent from;  // Whose mail it is: also the final recipient.
  std::vector<Correspondent> to{};
  Origin origin{};
  Fate fate = Fate::displayed;
  bool automatic_action = false;    // RFC 8098 §3.2.6.1: a rule did it, no person.
  bool sent_automatically = false;  // Without asking for this message.
  std::string reporting_ua = "facteur";
  std::string gateway{};              // MDN-Gateway, a host name; empty: none (RFC 8098 §3.2.2).
  std::string original_recipient{};   // "rfc822;user@example.org"; empty: none.
  std::vector<std::string> errors{};  // RFC 8098 §3.2.7.
  Language language = Language::english;
  Bytes original{};  // The message: its header is returned.
  Transport transport{};
};
// To be sent from the null reverse-path (RFC 8098 §3). Refused: as build_message.
Result<Built> build_reading_notice(const ReadingNotice& notice);

}  // namespace facteur::message
