// A FETCH compiled once (DESIGN.md section 9): which writers in which order, and what of a message they need.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "imap/command.hpp"
#include "imap/message_pieces.hpp"
#include "imap/response_writer.hpp"
#include "message/structure.hpp"

namespace facteur::imap {

// What a FETCH may show of one message. `structure` and `text` only if the plan needs them.
struct FetchedMessage {
  std::uint32_t number = 0;
  std::uint32_t uid = 0;
  std::uint64_t modseq = 0;
  std::uint8_t flag_bits = 0;
  std::span<const std::uint16_t> keywords;  // Indices into `keyword_names`; others are left out.
  const std::vector<std::string>* keyword_names = nullptr;
  bool recent = false;
  bool tell_flags = false;  // Its flags have just been changed by this FETCH: FLAGS must be there.
  std::uint32_t size = 0;
  UtcTime received;
  std::uint64_t email_id = 0;
  std::uint64_t thread_id = 0;
  const message::Structure* structure = nullptr;
  const MessagePieces* text = nullptr;
};

class FetchPlan {
 public:
  // `uid`: UID is told whether asked for or not (RFC 9051 §6.4.9); `modseq`: and MODSEQ (RFC 7162 §3.1.4.1).
  FetchPlan(const std::vector<FetchItem>& items, bool uid, bool modseq);

  bool needs_structure() const { return needs_envelope_ || needs_layout_; }
  bool needs_envelope() const { return needs_envelope_; }  // Of the structure: its envelope,
  bool needs_layout() const { return needs_layout_; }      // or the parts and BODYSTRUCTURE.
  // RFC 8970 §3.1: a PREVIEW that is not LAZY; a structure without one (of version 1) does not do.
  bool needs_preview() const { return needs_preview_; }
  bool needs_text() const { return needs_text_; }
  bool marks_seen() const { return marks_seen_; }  // RFC 9051 §6.4.5: BODY[...] sets \Seen, BODY.PEEK[...] does not.
  bool tells_flags() const { return tells_flags_; }
  bool tells_modseq() const { return tells_modseq_; }

  // "* 5 FETCH (...)". False: a part could not be decoded; NIL was written for it (NO [UNKNOWN-CTE]).
  bool write(ResponseWriter& out, const FetchedMessage& message) const;

 private:
  struct Step {
    FetchItem item;
    std::string label;  // " BODY[1.MIME]<0> ": with the spaces around it; the first step leaves the first one out.
  };
  static bool write_step(ResponseWriter& out, const Step& step, const FetchedMessage& message);
  void write_columns(std::string& out, const FetchedMessage& message) const;
  void add(FetchItem item);

  std::vector<Step> steps_;
  bool columns_only_ = true;  // Every step is short and needs neither structure nor text.
  bool needs_envelope_ = false;
  bool needs_layout_ = false;
  bool needs_preview_ = false;
  bool needs_text_ = false;
  bool marks_seen_ = false;
  bool tells_flags_ = false;
  bool tells_modseq_ = false;
};

// "(\Seen kw)": flags of a message for FETCH, here and in announcements.
void append_fetched_flags(std::string& out, const FetchedMessage& message);

}  // namespace facteur::imap
