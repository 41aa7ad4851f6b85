#include "message/builder.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/date.hpp"
#include "message/encoded_word.hpp"
#include "message/transfer.hpp"

namespace facteur::message {
namespace {

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      out.append("\r\n");
    } else if (text[i] == '\r') {
      out.append("\r\n");
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      out += text[i];
    }
  }
  if (!out.empty() && !out.ends_with('\n')) out.append("\r\n");
  return out;
}

// No line ends in a header line, whatever the caller gave.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, ascii::is_control, ' ');
  return out;
}

void append_list(std::string& out, std::string_view name, const std::vector<Correspondent>& list) {
  if (list.empty()) return;
  out.append(name).append(": ");
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out.append(",\r\n ");
    out.append(written(list[i]));
  }
  out.append("\r\n");
}

void append_text_part(std::string& out, std::string_view text) {
  const std::string lines = with_crlf(text);
  const bool ascii_only =
      std::ranges::all_of(lines, [](char c) { return static_cast<unsigned char>(c) < 0x80 && c != 0; });
  bool short_lines = true;
  for (std::size_t start = 0; start < lines.size();) {
    const std::size_t end = lines.find('\n', start);
    short_lines = short_lines && end - start <= 900;
    start = end + 1;
  }
  if (ascii_only && short_lines) {
    out.append("Content-Type: text/plain; charset=us-ascii\r\n\r\n").append(lines);
  } else {
    out.append("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    out.append(encode_quoted_printable(lines));
  }
}

void append_attachment(std::string& out, const Draft::Attachment& attachment) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string name;
  bool plain = true;
  for (const char c : attachment.name) plain = plain && ascii::is_printable(c) && c != '"' && c != '\\';
  if (plain) {
    name = "filename=\"" + attachment.name + "\"";
  } else {
    name = "filename*=utf-8''";  // RFC 2231 §4.
    for (const char c : attachment.name) {
      if (ascii::is_alnum(c) || c == '.' || c == '-' || c == '_') {
        name += c;
      } else {
        name += '%';
        name += digits[static_cast<unsigned char>(c) >> 4];
        name += digits[static_cast<unsigned char>(c) & 15];
      }
    }
  }
  out.append("Content-Type: ").append(one_line(attachment.type)).append("\r\n");
  out.append("Content-Disposition: attachment;\r\n ").append(name).append("\r\n");
  out.append("Content-Transfer-Encoding: base64\r\n\r\n").append(encode_base64_lines(attachment.octets));
}

}  // namespace

std::string written(const Correspondent& who) {
  const std::string address = one_line(who.address);
  if (who.name.empty()) return address;
  return encoded_phrase(one_line(who.name)) + " <" + address + ">";
}

std::string build_message(const Draft& draft) {
  std::string out;
  out.append("Date: ").append(write_date(draft.at, draft.offset_minutes)).append("\r\n");
  out.append("From: ").append(written(draft.from)).append("\r\n");
  append_list(out, "To", draft.to);
  append_list(out, "Cc", draft.cc);
  out.append("Subject: ").append(encoded_text(one_line(draft.subject))).append("\r\n");
  if (!draft.message_id.empty()) out.append("Message-ID: <").append(one_line(draft.message_id)).append(">\r\n");
  if (!draft.in_reply_to.empty()) {
    const std::string id = one_line(draft.in_reply_to);
    out.append("In-Reply-To: <").append(id).append(">\r\nReferences: <").append(id).append(">\r\n");
  }
  for (const auto& [name, value] : draft.fields) out.append(name).append(": ").append(one_line(value)).append("\r\n");
  out.append("MIME-Version: 1.0\r\n");
  if (draft.attachments.empty()) {
    append_text_part(out, draft.text);
    return out;
  }
  out.append("Content-Type: multipart/mixed; boundary=\"").append(draft.boundary).append("\"\r\n\r\n");
  out.append("--").append(draft.boundary).append("\r\n");
  append_text_part(out, draft.text);
  for (const auto& attachment : draft.attachments) {
    out.append("\r\n--").append(draft.boundary).append("\r\n");
    append_attachment(out, attachment);
  }
  out.append("\r\n--").append(draft.boundary).append("--\r\n");
  return out;
}

}  // namespace facteur::message
