#include "message/partial.hpp"

#include "message/header.hpp"
#include "message/mime.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

const Origin origin{.at = UtcTime{1'700'000'000'000}, .host = "example.org"};

std::string long_message() {
  std::string out =
      "Received: x\r\n\tby y\r\nFrom: a@b.example\r\nSubject: long\r\nMessage-ID: <m@b.example>\r\nMIME-Version: "
      "1.0\r\n"
      "Content-Type: multipart/mixed;\r\n boundary=b\r\n\r\n--b\r\n\r\n";
  for (int i = 0; i < 500; ++i) out += std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x') + "\r\n";
  return out + "--b\r\nContent-Type: text/html\r\n\r\nend\r\n--b--\r\n";
}

TEST_RFC("2046 §5.2.2.1", "pieces are messages of their own and make the whole again, in any order") {
  const std::string message = long_message();
  auto pieces = split(message, 10'000, origin);
  REQUIRE(pieces);
  CHECK(pieces->size() > 12);
  std::vector<Bytes> views;
  for (const auto& piece : *pieces) {
    CHECK(piece.size() <= 10'000);
    CHECK(piece.ends_with("\r\n"));
    CHECK(unfolded(*first_field(piece, "From")) == "a@b.example");
    const std::string number = "(" + std::to_string(views.size() + 1) + "/" + std::to_string(pieces->size()) + ")";
    CHECK(unfolded(*first_field(piece, "Subject")) == "long " + number);
    views.insert(views.begin(), piece);
  }
  const auto whole = reassembled(views);
  REQUIRE(whole);
  CHECK(whole->substr(header_length(*whole)) == message.substr(header_length(message)));
  for (const auto* name : {"Received", "From", "Subject", "Message-ID", "MIME-Version", "Content-Type"}) {
    CHECK(*first_field(*whole, name) == *first_field(message, name));  // With their folding.
  }
  CHECK(parse_mime(*whole).parts.size() == 3);
  views.pop_back();
  CHECK_FALSE(reassembled(views));
}

TEST_RFC("2046 §5.2.2", "what cannot be cut") {
  CHECK(split("Subject: x\r\n\r\ny\r\n", 10'000, origin)->size() == 1);
  CHECK_FALSE(split(long_message() + "\xe9\r\n", 10'000, origin));
  CHECK_FALSE(split(long_message() + "x\ny\r\n", 10'000, origin));
  CHECK_FALSE(split(long_message(), 1'000, origin));
}

}  // namespace
}  // namespace facteur::message
