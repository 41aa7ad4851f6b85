// Messages and field values made to cost their reader more than they cost their writer. Any reader of messages can be
// tried with them: the cost of twice the octets must not be more than about twice.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::hostile {

struct Input {
  std::string_view name;
  std::string (*make)(std::size_t octets);  // About so many octets.
};

inline std::string repeated(std::string_view piece, std::size_t octets) {
  std::string out;
  out.reserve(octets + piece.size());
  while (out.size() < octets) out.append(piece);
  return out;
}

inline std::string under(std::string_view header, std::string_view piece, std::size_t octets) {
  return std::string(header) + repeated(piece, octets);
}

// 100 multiparts, each inside the one before, then lines that could be any of their delimiters.
inline std::string open_boundaries(std::size_t octets, std::string_view line) {
  std::string out;
  for (int i = 0; i < 100; ++i) {
    const std::string boundary = "bbbbbbbbbbbbbbbbbbbb" + std::to_string(i);
    if (i > 0) out += "--bbbbbbbbbbbbbbbbbbbb" + std::to_string(i - 1) + "\r\n";
    out += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n";
  }
  return out + repeated(line, octets);
}

// Whole messages.
inline const std::vector<Input>& messages() {
  static const std::vector<Input> all = {
      {"lines of text", [](std::size_t n) { return under("A: b\r\n\r\n", "A line of text, as they are.\r\n", n); }},
      {"one line", [](std::size_t n) { return under("A: b\r\n\r\n", "x", n); }},
      {"short fields", [](std::size_t n) { return repeated("A: b\r\n", n); }},
      {"lines of no field", [](std::size_t n) { return repeated("abc\r\n", n); }},
      {"one folded field", [](std::size_t n) { return under("Subject: a", "\r\n b", n); }},
      {"many To fields", [](std::size_t n) { return repeated("To: a@example.org\r\n", n); }},
      {"many Content-Type fields", [](std::size_t n) { return repeated("Content-Type: text/plain; a=b\r\n", n); }},
      {"empty parts",
       [](std::size_t n) { return under("Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n", n); }},
      {"parts with headers",
       [](std::size_t n) {
         return under("Content-Type: multipart/digest; boundary=b\r\n\r\n", "--b\r\n\r\nFrom: a@b\r\n\r\nx\r\n", n);
       }},
      {"nested multiparts",
       [](std::size_t n) { return repeated("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", n); }},
      {"nested messages", [](std::size_t n) { return repeated("Content-Type: message/rfc822\r\n\r\n", n); }},
      {"lines like open boundaries", [](std::size_t n) { return open_boundaries(n, "--bbbbbbbbbbbbbbbbbbbb\r\n"); }},
      {"delimiters of inner multiparts",
       [](std::size_t n) { return open_boundaries(n, "--bbbbbbbbbbbbbbbbbbbb50\r\n"); }},
      {"two dashes", [](std::size_t n) { return open_boundaries(n, "--\r\n"); }},
      {"begin lines", [](std::size_t n) { return under("A: b\r\n\r\n", "begin 644 a\r\n", n); }},
      {"begin lines with a line each",
       [](std::size_t n) { return under("A: b\r\n\r\n", "begin 644 a\r\n#0V%T\r\n", n); }},
      {"yEnc beginnings", [](std::size_t n) { return under("A: b\r\n\r\n", "=ybegin size=1 name=a\r\n", n); }},
      {"BinHex beginnings",
       [](std::size_t n) { return under("A: b\r\n\r\n", "(This file must be converted with BinHex\r\n", n); }},
      {"damaged base64", [](std::size_t n) { return under("Content-Transfer-Encoding: base64\r\n\r\n", "=!a=", n); }},
      {"quoted-printable marks",
       [](std::size_t n) { return under("Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=", n); }},
      {"blanks in quoted-printable",
       [](std::size_t n) { return under("Content-Transfer-Encoding: quoted-printable\r\n\r\n", "   \t", n); }},
      {"HTML tag openings", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<a", n); }},
      {"HTML quotes", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<a b=\"", n); }},
      {"HTML comments", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<!--", n); }},
      {"HTML scripts", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<script></scrip", n); }},
      {"HTML images", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<img a=b alt=c>", n); }},
      {"HTML attributes", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n<img ", "a=b ", n); }},
      {"HTML references", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "&#x;&amp", n); }},
      {"HTML blocks", [](std::size_t n) { return under("Content-Type: text/html\r\n\r\n", "<div><p>", n); }},
      {"flowed quotes",
       [](std::size_t n) { return under("Content-Type: text/plain; format=flowed\r\n\r\n", "> a \r\n>> b \r\n", n); }},
      {"quoted lines", [](std::size_t n) { return under("A: b\r\n\r\n", ">\r\n", n); }},
      {"CRs", [](std::size_t n) { return repeated("A: \r\r", n); }},
      {"NULs", [](std::size_t n) { return std::string("A: ") + std::string(n, '\0'); }},
  };
  return all;
}

// Values of fields: addresses, parameters, encoded words, identifiers, dates, trace.
inline const std::vector<Input>& values() {
  static const std::vector<Input> all = {
      {"addresses", [](std::size_t n) { return repeated("a b <c@d>, ", n); }},
      {"words", [](std::size_t n) { return repeated("a ", n); }},
      {"dots", [](std::size_t n) { return repeated("a . ", n); }},
      {"at signs", [](std::size_t n) { return repeated("a@", n); }},
      {"groups", [](std::size_t n) { return repeated("a:;", n); }},
      {"colons", [](std::size_t n) { return repeated("a:", n); }},
      {"open angles", [](std::size_t n) { return repeated("<", n); }},
      {"angles", [](std::size_t n) { return repeated("<a@b>", n); }},
      {"open comments", [](std::size_t n) { return repeated("(", n); }},
      {"comments", [](std::size_t n) { return repeated("(a)", n); }},
      {"open quotes", [](std::size_t n) { return repeated("\"a", n); }},
      {"backslashes", [](std::size_t n) { return "\"" + repeated("\\", n); }},
      {"domains", [](std::size_t n) { return "a@" + repeated("b .", n); }},
      {"routes", [](std::size_t n) { return "<" + repeated("@a,", n); }},
      {"folds", [](std::size_t n) { return repeated("\r\n ", n); }},
      {"parameters", [](std::size_t n) { return "a/b" + repeated("; c=d", n); }},
      {"continuations",
       [](std::size_t n) {
         std::string out = "a/b";
         for (int i = 0; out.size() < n; ++i) out += "; c*" + std::to_string(i) + "*=d";
         return out;
       }},
      {"one parameter", [](std::size_t n) { return "a/b; c=" + repeated("d ", n); }},
      {"percents", [](std::size_t n) { return "a/b; c*=utf-8''" + repeated("%41%", n); }},
      {"semicolons", [](std::size_t n) { return "a/b" + repeated(";", n); }},
      {"folded parameters", [](std::size_t n) { return "a/b; c=" + repeated("d\r\n   \t  ", n); }},
      {"encoded words", [](std::size_t n) { return repeated("=?utf-8?q?a?= ", n); }},
      {"beginnings of encoded words", [](std::size_t n) { return repeated("=?", n); }},
      {"encoded words without an end", [](std::size_t n) { return repeated("=?a?q?", n); }},
      {"two charsets", [](std::size_t n) { return repeated("=?koi8-r?b?wQ==?= =?utf-8?q?a?= ", n); }},
      {"reply marks", [](std::size_t n) { return repeated("Re: ", n); }},
      {"brackets", [](std::size_t n) { return repeated("[a] ", n); }},
      {"forward brackets", [](std::size_t n) { return repeated("[fwd: ", n); }},
      {"forward marks", [](std::size_t n) { return repeated("(fwd)", n); }},
      {"identifiers", [](std::size_t n) { return repeated("<a@b> ", n); }},
      {"results", [](std::size_t n) { return "a" + repeated("; b=c (d) e.f=g", n); }},
      {"dates", [](std::size_t n) { return repeated("1 Jan 2000 10:00 (", n); }},
      {"received clauses", [](std::size_t n) { return repeated("from a (b [192.0.2.1]) by c ", n); }},
  };
  return all;
}

}  // namespace facteur::hostile
