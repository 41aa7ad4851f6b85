#include "message/enriched.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t longest_command = 60;  // RFC 1896: at most that many characters between the angle brackets.

class EnrichedReader {
 public:
  EnrichedReader(std::string_view text, std::size_t most) : text_(text), most_(most) {}

  std::string read() {
    while (at_ < text_.size() && out_.size() < most_) {
      const char c = text_[at_];
      if (c == '\n' || c == '\r') {
        line_ends();
      } else if (c == '<') {
        command();
      } else {
        show(text_.substr(at_++, 1));
      }
    }
    return std::move(out_);
  }

 private:
  void show(std::string_view text) {
    if (parameters_ == 0) out_ += text;
  }

  void line_ends() {
    std::size_t count = 0;
    for (; at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r'); ++at_) count += text_[at_] == '\n';
    if (verbatim_ > 0) {
      show(std::string(count, '\n'));
    } else {
      show(count < 2 ? std::string(" ") : std::string(count - 1, '\n'));
    }
  }

  void command() {
    if (text_.substr(at_, 2) == "<<") {
      show("<");
      at_ += 2;
      return;
    }
    const std::size_t end = text_.substr(at_, longest_command + 3).find('>');
    if (end == std::string_view::npos) {
      show(text_.substr(at_++, 1));
      return;
    }
    const std::string name = ascii::lower(text_.substr(at_ + 1, end - 1));
    at_ += end + 1;
    if (name == "param") ++parameters_;
    if (name == "/param" && parameters_ > 0) --parameters_;
    if (name == "nofill") ++verbatim_;
    if (name == "/nofill" && verbatim_ > 0) --verbatim_;
    if (name == "nl" || name == "np" || name == "/paragraph") show("\n");  // Of text/richtext.
  }

  std::string_view text_;
  std::size_t most_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t parameters_ = 0;
  std::size_t verbatim_ = 0;
};

}  // namespace

std::string enriched_to_text(std::string_view text, std::size_t most) { return EnrichedReader(text, most).read(); }

}  // namespace facteur::message
