#include "cli/box_names.hpp"

#include <algorithm>
#include <vector>

#include "base/ascii.hpp"
#include "imap/mailbox_name.hpp"
#include "message/maildir.hpp"

namespace facteur::cli {
namespace {

constexpr std::string_view dot = "&AC4-";

int hexadecimal(char c) {
  if (ascii::is_digit(c)) return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool has_our_ending(std::string_view name) {
  return std::ranges::any_of(std::vector<std::string_view>{".mbox", ".mbx", ".sbd", ".eml", ".msf"},
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

void escape(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto octet = static_cast<unsigned char>(c);
  out += '%';
  out += digits[octet >> 4];
  out += digits[octet & 15];
}

}  // namespace

std::string file_name_of_level(std::string_view level) {
  std::string out;
  for (std::size_t i = 0; i < level.size(); ++i) {
    const char c = level[i];
    const bool last_dot =
        c == '.' && has_our_ending(level.substr(i)) && level.substr(i + 1).find('.') == std::string_view::npos;
    if (c == '%' || c == '/' || ascii::is_control(c) || (c == '.' && i == 0) || last_dot) {
      escape(out, c);
    } else {
      out += c;
    }
  }
  return out;
}

std::string level_of_file_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const int high = name[i] == '%' && i + 2 < name.size() ? hexadecimal(name[i + 1]) : -1;
    const int low = high >= 0 ? hexadecimal(name[i + 2]) : -1;
    const char c = low >= 0 ? static_cast<char>(high << 4 | low) : name[i];
    // '/' parts levels here, and no server has a control character in a name.
    if (low >= 0 && (c == '%' || c == '.')) i += 2;
    out += low >= 0 && c != '%' && c != '.' ? name[i] : c;
  }
  return imap::is_valid_utf8(out) ? out : "mailbox";
}

std::string maildir_folder_of(std::string_view mailbox) {
  std::vector<std::string> levels;
  while (true) {
    const std::size_t end = std::min(mailbox.find('/'), mailbox.size());
    const std::string coded = imap::to_modified_utf7(mailbox.substr(0, end));
    std::string level;
    for (const char c : coded) c == '.' ? level += dot : level += c;
    levels.push_back(std::move(level));
    if (end == mailbox.size()) return message::write_maildir_folder(levels);
    mailbox.remove_prefix(end + 1);
  }
}

std::string mailbox_of_maildir_folder(std::string_view folder) {
  std::string out;
  for (std::string_view rest : message::parse_maildir_folder(folder)) {
    if (!out.empty()) out += '/';
    while (true) {
      const std::size_t end = std::min(rest.find(dot), rest.size());
      const auto text = imap::from_modified_utf7(rest.substr(0, end));
      // Not modified UTF-7: some write UTF-8.
      out += text ? *text : imap::is_valid_utf8(rest.substr(0, end)) ? std::string(rest.substr(0, end)) : "mailbox";
      if (end == rest.size()) break;
      out += '.';
      rest.remove_prefix(end + dot.size());
    }
  }
  return out;
}

std::string eml_name(unsigned long long number, const message::MailState& state) {
  message::MaildirName name;
  name.state = state;
  std::string letters = message::write_maildir_name(name);
  letters.erase(0, letters.rfind(',') + 1);
  std::string digits = std::to_string(number);
  if (digits.size() < 10) digits.insert(0, 10 - digits.size(), '0');  // So that names sort in the order of numbers.
  return digits + "." + letters + ".eml";
}

std::optional<message::MailState> state_of_eml(std::string_view name) {
  const std::size_t first = name.find('.');
  const std::size_t last = name.rfind('.');
  if (first == std::string_view::npos || first == last || name.substr(last) != ".eml") return std::nullopt;
  const std::string_view letters = name.substr(first + 1, last - first - 1);
  if (!ascii::number(name.substr(0, first)) || letters.find_first_not_of("DFPRST") != std::string_view::npos) {
    return std::nullopt;
  }
  return message::parse_maildir_name(":2," + std::string(letters)).state;
}

bool comes_before(std::string_view name, std::string_view other) {
  const std::string_view whole = name;
  const std::string_view whole_other = other;
  // The digits in front, without zeros.
  const auto take_number = [](std::string_view& text) {
    const std::size_t zeros = std::min(text.find_first_not_of('0'), text.size());
    text.remove_prefix(zeros);
    const auto end = std::ranges::find_if_not(text, ascii::is_digit);
    const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(digits.size());
    return digits;
  };
  while (!name.empty() && !other.empty()) {
    if (ascii::is_digit(name[0]) && ascii::is_digit(other[0])) {
      const std::string_view number = take_number(name);
      const std::string_view other_number = take_number(other);
      if (number.size() != other_number.size()) return number.size() < other_number.size();
      if (number != other_number) return number < other_number;
    } else {
      if (name[0] != other[0]) return static_cast<unsigned char>(name[0]) < static_cast<unsigned char>(other[0]);
      name.remove_prefix(1);
      other.remove_prefix(1);
    }
  }
  if (name.empty() && other.empty()) return whole < whole_other;
  return name.empty();
}

}  // namespace facteur::cli
