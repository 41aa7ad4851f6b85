#include "message/rtf.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "message/charset.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_groups = 1'000;  // What is nested deeper keeps the state of the group around it.

// Groups whose text is not part of the document.
constexpr std::array<std::string_view, 20> hidden_groups = {
    "author",   "colortbl", "company",   "creatim",    "datastore", "fldinst",   "fonttbl",
    "footer",   "footnote", "generator", "header",     "info",      "listtable", "objdata",
    "operator", "pict",     "revtbl",    "stylesheet", "themedata", "title"};

int hex_value(char c) {
  if (ascii::is_digit(c)) return c - '0';
  return ascii::is_hex(c) ? (c | 0x20) - 'a' + 10 : -1;
}

class RtfReader {
 public:
  RtfReader(Bytes rtf, std::size_t most) : rtf_(rtf), most_(most) {}

  std::string read() {
    while (at_ < rtf_.size() && out_.size() < most_) {
      const char c = rtf_[at_++];
      if (c == '{') {
        open();
      } else if (c == '}') {
        close();
      } else if (c == '\\') {
        control();
      } else if (c != '\r' && c != '\n') {
        octet(c);
      }
    }
    flush();
    return std::move(out_);
  }

 private:
  struct Group {
    bool hidden = false;
    std::size_t fallback = 1;  // \ucN: characters that stand behind \u for readers that do not know it.
  };

  void open() {
    skip_ = 0;
    if (groups_.size() < most_groups) {
      groups_.push_back(group_);
    } else {
      ++too_deep_;
    }
    group_begins_ = true;
  }

  void close() {
    skip_ = 0;
    if (too_deep_ > 0) {
      --too_deep_;
    } else if (!groups_.empty()) {
      flush();
      group_ = groups_.back();
      groups_.pop_back();
    }
  }

  void octet(char c) {
    group_begins_ = false;
    if (skip_ > 0) {
      --skip_;
    } else if (!group_.hidden && !hidden_html_) {
      octets_ += c;
    }
  }

  void text(std::string_view utf8) {
    flush();
    if (!group_.hidden && !hidden_html_) out_ += utf8;
  }

  // Octets wait for those behind them: a character may have two.
  void flush() {
    if (octets_.empty()) return;
    out_ += to_utf8(octets_, charset_);
    octets_.clear();
  }

  void control() {
    if (at_ >= rtf_.size()) return;
    const char c = rtf_[at_];
    if (ascii::is_alpha(c)) return word();
    ++at_;
    const bool first = group_begins_;
    switch (c) {
      case '\'':
        hexadecimal();
        break;
      case '*':  // A destination that readers may not know.
        if (first) group_.hidden = true;
        break;
      case '~':
        text(" ");
        break;
      case '\r':
      case '\n':
        text("\n");
        break;
      case '-':
        break;  // Where a word may be cut.
      case '_':
        text("-");
        break;
      default:
        octet(c);
    }
  }

  void hexadecimal() {
    const int high = at_ < rtf_.size() ? hex_value(rtf_[at_]) : -1;
    const int low = at_ + 1 < rtf_.size() ? hex_value(rtf_[at_ + 1]) : -1;
    if (high < 0 || low < 0) return;
    at_ += 2;
    octet(static_cast<char>(high * 16 + low));
  }

  void word() {
    std::size_t end = at_;
    while (end < rtf_.size() && ascii::is_alpha(rtf_[end])) ++end;
    const std::string_view name = rtf_.substr(at_, end - at_);
    at_ = end;
    const bool negative = at_ < rtf_.size() && rtf_[at_] == '-';
    if (negative) ++at_;
    const std::size_t digits = at_;
    int value = 0;
    for (; at_ < rtf_.size() && ascii::is_digit(rtf_[at_]); ++at_) {
      if (value < 10'000'000) value = value * 10 + (rtf_[at_] - '0');
    }
    const bool has_value = at_ > digits;
    if (at_ < rtf_.size() && rtf_[at_] == ' ') ++at_;
    obey(name, has_value, negative ? -value : value);
    group_begins_ = false;
  }

  void obey(std::string_view name, bool has_value, int value) {
    if (name == "par" || name == "line" || name == "sect" || name == "page" || name == "row") {
      text("\n");
    } else if (name == "tab" || name == "cell") {
      text("\t");
    } else if (name == "u") {
      unicode(value);
    } else if (name == "uc") {
      group_.fallback = static_cast<std::size_t>(std::clamp(value, 0, 16));
    } else if (name == "bin") {
      at_ += std::min(rtf_.size() - at_, static_cast<std::size_t>(std::max(value, 0)));
    } else if (name == "ansicpg") {
      charset_ = value == 65'001 ? "utf-8" : "windows-" + std::to_string(value);
    } else if (name == "htmlrtf") {  // MS-OXRTFEX: what stands between is for readers that know no wrapped HTML.
      flush();
      hidden_html_ = !has_value || value != 0;
    } else if (name == "bullet") {
      text("- ");
    } else if (name == "emdash" || name == "endash") {
      text("\xe2\x80\x93");
    } else if (name == "lquote" || name == "rquote") {
      text("'");
    } else if (name == "ldblquote" || name == "rdblquote") {
      text("\"");
    } else if (std::ranges::find(hidden_groups, name) != hidden_groups.end()) {
      group_.hidden = true;
    }
  }

  // \uN: a UTF-16 unit, negative above 32,767; pairs of surrogates come as two.
  void unicode(int value) {
    const auto unit = static_cast<char32_t>(value < 0 ? value + 65'536 : value);
    if (unit >= 0xd800 && unit < 0xdc00) {
      high_ = unit;
    } else if (!group_.hidden && !hidden_html_) {
      const bool pair = unit >= 0xdc00 && unit < 0xe000 && high_ != 0;
      flush();
      append_character(out_, pair ? 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00) : unit);
      high_ = 0;
    }
    skip_ = group_.fallback;
  }

  Bytes rtf_;
  std::size_t most_;
  std::size_t at_ = 0;
  std::string out_;
  std::string octets_;
  std::string charset_ = "windows-1252";
  std::vector<Group> groups_;
  Group group_;
  std::size_t too_deep_ = 0;
  std::size_t skip_ = 0;  // Characters of a fallback still to come.
  char32_t high_ = 0;
  bool hidden_html_ = false;
  bool group_begins_ = false;
};

}  // namespace

std::string rtf_to_text(Bytes rtf, std::size_t most) {
  if (!rtf.starts_with("{\\rtf")) return {};
  return RtfReader(rtf, most).read();
}

}  // namespace facteur::message
