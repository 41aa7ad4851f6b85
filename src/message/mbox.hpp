// mbox: many messages in one file, each begun by a line "From sender date" and ended by a blank line.
//
// Four dialects differ in how a line of a message that begins with "From " is told from such a line:
//   mboxo    ">" in front of it; what began with ">From " before cannot be told from it afterwards.
//   mboxrd   ">" in front of it and of those that begin with ">From ", ">>From "...: can be undone exactly.
//   mboxcl   as mboxo, and a field Content-Length counts the octets of the body.
//   mboxcl2  nothing is put in front; Content-Length alone tells where the message ends.
//
// What we write begins with a field X-Facteur-Fields: how many of the next fields were added, the dialect, and how many
// octets of the file the message takes. With it every message comes back exactly, whatever stands in it: one with lines
// ">From " is quoted as in mboxrd also in mboxo and mboxcl, and its mark says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "message/mail_state.hpp"

namespace facteur::message {

enum class MboxDialect : std::uint8_t { mboxo, mboxrd, mboxcl, mboxcl2 };
std::string_view name_of(MboxDialect dialect);
std::optional<MboxDialect> mbox_dialect(std::string_view name);

struct MboxLetter {
  std::string sender;  // Of its "From " line; "-" and the like as they are.
  std::optional<UtcTime> received;
  MailState state;
  std::string octets;      // The message as it was: CRLF lines, without quoting and the fields of mail programs.
  bool too_large = false;  // Larger than the reader holds: `octets` is empty.
};

inline constexpr std::size_t largest_mbox_letter = 128 * 1024 * 1024;

// Reads a file piece by piece, with memory for one message. Never fails: what belongs to no message is counted.
//
//   MboxReader reader; reader.add(piece); while (reader.next(letter) == MboxReader::Step::letter) ...; reader.end();
//
// Lines that end with LF get CRLF, unless the "From " line of the message ends with CRLF itself: then its octets are
// taken as they are.
class MboxReader {
 public:
  // Without a dialect: mboxrd, but where a Content-Length is there and right, mboxcl or mboxcl2 as the text shows.
  explicit MboxReader(std::optional<MboxDialect> dialect = {}, std::size_t largest = largest_mbox_letter)
      : dialect_(dialect), largest_(largest) {}

  void add(Bytes octets);
  void end() { ended_ = true; }  // The file has no more.

  enum class Step : std::uint8_t { more, letter, end };  // more: add() or end() first.
  Step next(MboxLetter& into);

  std::uint64_t passed_over() const { return passed_over_; }  // Octets in front of the first "From " line.

 private:
  enum class Line : std::uint8_t { other, postmark, unknown };  // unknown: more of the file must be seen.

  bool find_start();
  bool find_end();
  bool find_header_end();
  bool claim(std::size_t end);
  Line kind_of(std::size_t at, bool behind_blank) const;
  std::size_t line_end(std::size_t at) const;  // Behind its LF; npos: not there yet.
  void read_postmark(std::size_t end);
  std::optional<std::size_t> read_mark();
  void content_length();
  void drop_oversize();
  void make(MboxLetter& into);

  std::optional<MboxDialect> dialect_;
  std::size_t largest_;
  std::string buffer_;
  bool ended_ = false;
  bool begun_ = false;
  std::uint64_t passed_over_ = 0;

  // Of the message under way; offsets into buffer_.
  enum class Stage : std::uint8_t { outside, mark, header, body, found };
  Stage stage_ = Stage::outside;
  std::size_t at_ = 0;       // Where the next message begins, or what is looked at.
  std::size_t content_ = 0;  // Behind the "From " line, and behind the fields of the mark.
  std::size_t scan_ = 0;
  std::size_t end_ = 0;                 // Of the content, once found.
  std::optional<std::size_t> claimed_;  // Where a mark or Content-Length says that it ends.
  bool marked_ = false;
  bool counted_ = false;  // Content-Length was right.
  bool exact_ = false;    // The end is known by count: no blank line belongs to the file.
  bool verbatim_ = false;
  bool oversize_ = false;
  MboxDialect written_ = MboxDialect::mboxrd;  // By its mark.
  MboxLetter letter_;
};

// Appends one message to the text of an mbox file. Lines end with LF in the file if all of the message's end with CRLF,
// else the message is written as it is behind a "From " line that ends with CRLF. `sender` may be empty.
void append_mbox(std::string& out, Bytes message, std::string_view sender, UtcTime received, const MailState& state,
                 MboxDialect dialect = MboxDialect::mboxrd);

// Whether the file that begins with `start` was written by append_mbox (or is empty), and may thus be written anew.
bool is_our_mbox(Bytes start);
// Whether a file that begins so is an mbox file.
bool looks_like_mbox(Bytes start);

// Whether every LF has a CR before it and every CR an LF behind it: then lf_lines loses nothing.
bool has_only_crlf(Bytes text);
std::string lf_lines(Bytes crlf_text);  // Without the CRs of CRLF.
std::string crlf_lines(Bytes text);     // A CR before each LF that has none.

}  // namespace facteur::message
