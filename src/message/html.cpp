// One pass over the octets. What is left between tags is text; of tags only the names count, and `alt` of images.
#include "message/html.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

enum class Effect : unsigned char { none, line, paragraph, cell, item, rule, image, preformatted, hidden };

struct Element {
  std::string_view name;
  Effect effect;
};
constexpr Element elements[] = {{"address", Effect::line},     {"article", Effect::line},
                                {"aside", Effect::line},       {"blockquote", Effect::paragraph},
                                {"br", Effect::line},          {"caption", Effect::line},
                                {"center", Effect::line},      {"dd", Effect::line},
                                {"div", Effect::line},         {"dl", Effect::line},
                                {"dt", Effect::line},          {"fieldset", Effect::line},
                                {"figure", Effect::line},      {"footer", Effect::line},
                                {"form", Effect::line},        {"h1", Effect::paragraph},
                                {"h2", Effect::paragraph},     {"h3", Effect::paragraph},
                                {"h4", Effect::paragraph},     {"h5", Effect::paragraph},
                                {"h6", Effect::paragraph},     {"header", Effect::line},
                                {"hr", Effect::rule},          {"img", Effect::image},
                                {"iframe", Effect::hidden},    {"li", Effect::item},
                                {"main", Effect::line},        {"math", Effect::hidden},
                                {"noembed", Effect::hidden},   {"noframes", Effect::hidden},
                                {"object", Effect::hidden},    {"ol", Effect::line},
                                {"option", Effect::line},      {"p", Effect::paragraph},
                                {"pre", Effect::preformatted}, {"script", Effect::hidden},
                                {"section", Effect::line},     {"style", Effect::hidden},
                                {"svg", Effect::hidden},       {"table", Effect::line},
                                {"td", Effect::cell},          {"template", Effect::hidden},
                                {"textarea", Effect::line},    {"th", Effect::cell},
                                {"title", Effect::hidden},     {"tr", Effect::line},
                                {"ul", Effect::line},          {"xmp", Effect::preformatted}};

Effect effect_of(std::string_view name) {
  for (const auto& element : elements) {
    if (ascii::equal_ignoring_case(element.name, name)) return element.effect;
  }
  return Effect::none;
}

bool is_html_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

// Text with blanks squeezed and lines begun only when something follows.
class Lines {
 public:
  explicit Lines(std::size_t most) : most_(most) {}

  bool full() const { return out_.size() >= most_; }
  void line() { wanted_ = std::max(wanted_, 1u); }
  void paragraph() { wanted_ = std::max(wanted_, 2u); }
  void cell() { cell_ = !out_.empty() && wanted_ == 0; }
  void item() {
    line();
    item_ = true;
  }
  void blank() { blank_ = true; }
  void hard_blank(char c) {  // In preformatted text.
    if (c == '\n') {
      flush();
      out_ += '\n';
    } else if (c != '\r') {
      flush();
      out_ += c == '\t' ? '\t' : ' ';
    }
  }
  void text(std::string_view characters) {
    flush();
    out_.append(characters);
  }
  std::string take() {
    while (!out_.empty() && is_html_blank(out_.back())) out_.pop_back();
    if (!out_.empty()) out_ += '\n';
    return std::move(out_);
  }

 private:
  void flush() {
    if (wanted_ > 0 && !out_.empty()) {
      while (out_.ends_with(' ') || out_.ends_with('\t')) out_.pop_back();
      const std::size_t ends = out_.size() - std::min(out_.size(), out_.find_last_not_of('\n') + 1);
      if (ends < wanted_) out_.append(wanted_ - ends, '\n');
    } else if (cell_) {
      out_ += '\t';
    } else if (blank_ && !out_.empty() && !is_html_blank(out_.back())) {
      out_ += ' ';
    }
    if (item_) out_.append("- ");
    wanted_ = 0;
    cell_ = blank_ = item_ = false;
  }

  std::string out_;
  std::size_t most_;
  unsigned wanted_ = 0;  // Line ends before the next text.
  bool blank_ = false;
  bool cell_ = false;
  bool item_ = false;
};

class HtmlReader {
 public:
  HtmlReader(std::string_view html, std::size_t most) : html_(html), lines_(most) {}
  std::string read();

 private:
  struct Tag {
    std::string_view name;
    std::string_view attributes;
    bool closing = false;
  };

  bool starts_tag() const;
  Tag read_tag();
  void read_declaration();
  void apply(const Tag& tag);
  void skip_hidden(std::string_view name);
  void read_text();
  void add_text(std::string_view text, bool preformatted);
  std::string_view attribute(std::string_view attributes, std::string_view wanted) const;

  std::string_view html_;
  std::size_t at_ = 0;
  Lines lines_;
  bool preformatted_ = false;
};

// "<" is a tag only before a letter, '/', '!' or '?'; else it is text.
bool HtmlReader::starts_tag() const {
  if (html_[at_] != '<' || at_ + 1 >= html_.size()) return false;
  const char c = html_[at_ + 1];
  return ascii::is_alpha(c) || c == '/' || c == '!' || c == '?';
}

// "<!--" to "-->"; other declarations to '>'. What has no end takes the rest.
void HtmlReader::read_declaration() {
  const bool comment = html_.substr(at_).starts_with("<!--");
  const std::size_t end = comment ? html_.find("-->", at_ + 2) : html_.find('>', at_);
  at_ = end == std::string_view::npos ? html_.size() : end + (comment ? 3 : 1);
}

HtmlReader::Tag HtmlReader::read_tag() {
  Tag tag;
  ++at_;
  if (html_[at_] == '/') {
    tag.closing = true;
    ++at_;
  }
  const std::size_t name = at_;
  while (at_ < html_.size() && !is_html_blank(html_[at_]) && html_[at_] != '>' && html_[at_] != '/') ++at_;
  tag.name = html_.substr(name, at_ - name);
  const std::size_t attributes = at_;
  char quote = 0;  // A '>' in a quoted value ends no tag.
  char before = 0;
  for (; at_ < html_.size(); ++at_) {
    const char c = html_[at_];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '>') {
      break;
    } else if ((c == '"' || c == '\'') && before == '=') {
      quote = c;
    }
    if (!is_html_blank(c)) before = c;
  }
  tag.attributes = html_.substr(attributes, at_ - attributes);
  if (at_ < html_.size()) ++at_;
  return tag;
}

std::string_view HtmlReader::attribute(std::string_view rest, std::string_view wanted) const {
  while (!rest.empty()) {
    while (!rest.empty() && (is_html_blank(rest.front()) || rest.front() == '/')) rest.remove_prefix(1);
    const std::size_t name_end = std::min(rest.find_first_of("= \t\r\n\f/"), rest.size());
    const std::string_view name = rest.substr(0, name_end);
    rest.remove_prefix(name_end);
    while (!rest.empty() && is_html_blank(rest.front())) rest.remove_prefix(1);
    std::string_view value;
    if (rest.starts_with('=')) {
      rest.remove_prefix(1);
      while (!rest.empty() && is_html_blank(rest.front())) rest.remove_prefix(1);
      const bool quoted = rest.starts_with('"') || rest.starts_with('\'');
      const std::size_t end =
          std::min(quoted ? rest.find(rest.front(), 1) : rest.find_first_of(" \t\r\n\f"), rest.size());
      value = quoted ? rest.substr(1, end - 1) : rest.substr(0, end);
      rest.remove_prefix(std::min(rest.size(), quoted ? end + 1 : end));
    } else if (name.empty()) {
      break;
    }
    if (ascii::equal_ignoring_case(name, wanted)) return value;
  }
  return {};
}

// Behind the closing tag of that name; the rest of the text if there is none.
void HtmlReader::skip_hidden(std::string_view name) {
  while (at_ < html_.size()) {
    const std::size_t open = html_.find("</", at_);
    if (open == std::string_view::npos) break;
    at_ = open + 2;
    if (!ascii::starts_with_ignoring_case(html_.substr(at_), name)) continue;
    const std::size_t end = html_.find('>', at_);
    at_ = end == std::string_view::npos ? html_.size() : end + 1;
    return;
  }
  at_ = html_.size();
}

void HtmlReader::apply(const Tag& tag) {
  switch (effect_of(tag.name)) {
    case Effect::none:
      break;
    case Effect::line:
      lines_.line();
      break;
    case Effect::paragraph:
      lines_.paragraph();
      break;
    case Effect::cell:
      if (!tag.closing) lines_.cell();
      break;
    case Effect::item:
      if (tag.closing) {
        lines_.line();
      } else {
        lines_.item();
      }
      break;
    case Effect::rule:
      lines_.line();
      lines_.text("----");
      lines_.line();
      break;
    case Effect::image:
      add_text(attribute(tag.attributes, "alt"), false);
      break;
    case Effect::preformatted:
      lines_.line();
      preformatted_ = !tag.closing;
      break;
    case Effect::hidden:
      if (!tag.closing && !tag.attributes.ends_with('/')) skip_hidden(tag.name);
      break;
  }
}

void HtmlReader::add_text(std::string_view text, bool preformatted) {
  for (std::size_t i = 0; i < text.size() && !lines_.full();) {
    if (is_html_blank(text[i])) {
      if (preformatted) {
        lines_.hard_blank(text[i]);
      } else {
        lines_.blank();
      }
      ++i;
      continue;
    }
    if (text[i] == '&') {
      if (const CharacterReference entity = read_character_reference(text.substr(i, 32)); entity.length > 0) {
        if (entity.characters == "\xc2\xa0") {  // A no-break space is a blank here.
          lines_.blank();
        } else if (entity.characters != "\xc2\xad") {  // Nor is a soft hyphen shown.
          lines_.text(entity.characters);
        }
        i += entity.length;
        continue;
      }
    }
    std::size_t end = i + 1;
    while (end < text.size() && !is_html_blank(text[end]) && text[end] != '&') ++end;
    lines_.text(text.substr(i, end - i));
    i = end;
  }
}

void HtmlReader::read_text() {
  const std::size_t start = at_;
  do {
    at_ = std::min(html_.find('<', at_ + 1), html_.size());
  } while (at_ < html_.size() && !starts_tag());
  add_text(html_.substr(start, at_ - start), preformatted_);
}

std::string HtmlReader::read() {
  while (at_ < html_.size() && !lines_.full()) {
    if (!starts_tag()) {
      read_text();
    } else if (html_[at_ + 1] == '!' || html_[at_ + 1] == '?') {
      read_declaration();
    } else {
      apply(read_tag());
    }
  }
  return lines_.take();
}

}  // namespace

std::string html_to_text(std::string_view html, std::size_t most) { return HtmlReader(html, most).read(); }

}  // namespace facteur::message
