#include "message/wrapped.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/embedded.hpp"
#include "message/html.hpp"
#include "message/rtf.hpp"
#include "message/text.hpp"
#include "message/tnef.hpp"

namespace facteur::message {
namespace {

constexpr int most_depth = 5;

void add(std::string& out, std::string_view text, std::size_t most) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty() || out.size() >= most) return;
  if (!out.empty()) out += '\n';
  out += cut_at_character(text, most - out.size());
}

std::string text_of(const Tnef& tnef, std::size_t most) {
  std::string out = tnef.text;
  if (out.empty() && !tnef.html.empty()) out = html_to_text(body_to_utf8(tnef.html, ""), most);
  if (out.empty()) out = rtf_to_text(tnef.rtf, most);
  return without_controls(out);
}

// The words of a file, if it is one of text; empty otherwise.
std::string text_of_file(std::string_view name, Bytes octets, std::size_t most) {
  constexpr std::array<std::string_view, 9> endings = {".txt", ".text", ".csv", ".htm", ".html",
                                                       ".md",  ".log",  ".rtf", ".asc"};
  const std::string lower = ascii::lower(name);
  const auto* const found = std::ranges::find_if(endings, [&](auto ending) { return lower.ends_with(ending); });
  if (found == endings.end()) return {};
  octets = octets.substr(0, most);
  if (*found == ".rtf") return without_controls(rtf_to_text(octets, most));
  std::string text = body_to_utf8(octets, "");
  if (found->starts_with(".htm")) text = html_to_text(text, most);
  return without_controls(text);
}

void add_searchable(std::string& out, Bytes octets, std::size_t most, int depth) {
  const auto tnef = parse_tnef(octets);
  if (!tnef) return;
  add(out, without_controls(tnef->subject), most);
  add(out, text_of(*tnef, most), most);
  for (const auto& file : tnef->files) {
    if (out.size() >= most) return;
    add(out, without_controls(file.name), most);
    if (!file.embedded_message) {
      add(out, text_of_file(file.name, file.octets, most - out.size()), most);
    } else if (depth < most_depth) {
      add_searchable(out, file.octets, most, depth + 1);
    }
  }
}

}  // namespace

bool says_tnef(const Part& part, std::string_view name) {
  const auto& type = part.content_type;
  if (type.is("application", "ms-tnef") || type.is("application", "vnd.ms-tnef")) return true;
  return type.type == "application" && ascii::equal_ignoring_case(name, "winmail.dat");
}

std::string tnef_text(Bytes octets, std::size_t most) {
  const auto tnef = parse_tnef(octets);
  if (!tnef) return {};
  std::string out;
  add(out, text_of(*tnef, most), most);
  return out;
}

std::string tnef_searchable(Bytes octets, std::size_t most) {
  std::string out;
  add_searchable(out, octets, most, 1);
  return out;
}

std::string without_embedded(std::string text, bool contents) {
  if (!has_embedded(text)) return text;
  std::string out;
  std::size_t kept = 0;
  for (const auto& file : find_embedded(text)) {
    out += std::string_view(text).substr(kept, file.offset - kept);
    kept = file.offset + file.length;
    const std::string name = without_controls(to_utf8(file.name, "utf-8"));
    out.append("[").append(name.substr(name.find_last_of("/\\") + 1)).append("]\n");
    if (!contents) continue;
    // No file says more than what it was written with.
    out += text_of_file(file.name, file.octets, file.length);
    if (!out.ends_with('\n')) out += '\n';
  }
  return out += std::string_view(text).substr(kept);
}

}  // namespace facteur::message
