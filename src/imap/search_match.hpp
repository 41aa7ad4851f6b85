// Whether one message fits the keys of a SEARCH (RFC 9051 §6.4.4), with no more of the message than the keys need.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "imap/command.hpp"
#include "imap/message_pieces.hpp"
#include "imap/text_search.hpp"
#include "message/structure.hpp"

namespace facteur::imap {

// One message. First without `structure` and `text`; with `structure` if the answer was `unknown`; then with both.
struct SearchedMessage {
  std::uint32_t number = 0;
  std::uint32_t uid = 0;
  std::uint64_t modseq = 0;
  std::uint8_t flag_bits = 0;
  std::span<const std::uint16_t> keywords;
  bool recent = false;
  std::uint32_t size = 0;
  UtcTime received;
  std::uint64_t email_id = 0;
  std::uint64_t thread_id = 0;
  const message::Structure* structure = nullptr;
  const MessagePieces* text = nullptr;
};

enum class Match : std::uint8_t { no, yes, unknown };

// The keys made ready for many messages: sets resolved, texts folded, keywords turned into their numbers.
class SearchProgram {
 public:
  struct Surroundings {
    std::uint32_t highest_number = 0;
    std::uint32_t highest_uid = 0;
    std::vector<NumberRange> saved;  // UIDs of "$".
    const std::vector<std::string>* keyword_names = nullptr;
  };
  SearchProgram(const SearchKey& key, const Surroundings& around);

  // False: without structure every message is unknown, so there is no use in asking.
  bool looks_at_columns() const;
  Match match(const SearchedMessage& message) const;  // Never unknown if both structure and text are there.

 private:
  struct Node {
    SearchKey::Kind kind;
    std::vector<NumberRange> ranges;
    bool by_uid = false;  // `ranges` are UIDs ("$" in a sequence).
    std::uint8_t bit = 0;
    int keyword = -1;
    std::string field;
    std::string value;
    Needle needle{""};
    std::uint64_t number = 0;
    std::int32_t day = 0;
    std::vector<Node> children;
  };
  static Node prepare(const SearchKey& key, const Surroundings& around);
  static Match match(const Node& node, const SearchedMessage& message);
  static Match match_header(const Node& node, const SearchedMessage& message);
  static Match match_sent(const Node& node, const SearchedMessage& message);
  static Match match_text(const Node& node, const SearchedMessage& message);

  Node root_;
};

}  // namespace facteur::imap
