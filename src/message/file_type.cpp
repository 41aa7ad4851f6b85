#include "message/file_type.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/ascii.hpp"

namespace facteur::message {

std::string_view file_type(std::string_view name) {
  using Row = std::pair<std::string_view, std::string_view>;
  static constexpr auto rows = std::to_array<Row>({
      {"7z", "application/x-7z-compressed"},
      {"au", "audio/basic"},
      {"avif", "image/avif"},
      {"bmp", "image/bmp"},
      {"css", "text/css"},
      {"csv", "text/csv"},
      {"doc", "application/msword"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"epub", "application/epub+zip"},
      {"flac", "audio/flac"},
      {"gif", "image/gif"},
      {"gz", "application/gzip"},
      {"htm", "text/html"},
      {"html", "text/html"},
      {"ics", "text/calendar"},
      {"jpeg", "image/jpeg"},
      {"jpg", "image/jpeg"},
      {"js", "text/javascript"},
      {"json", "application/json"},
      {"md", "text/markdown"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
      {"mpeg", "video/mpeg"},
      {"mpg", "video/mpeg"},
      {"odp", "application/vnd.oasis.opendocument.presentation"},
      {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
      {"odt", "application/vnd.oasis.opendocument.text"},
      {"ogg", "audio/ogg"},
      {"p7m", "application/pkcs7-mime"},
      {"p7s", "application/pkcs7-signature"},
      {"pbm", "image/x-portable-bitmap"},
      {"pdf", "application/pdf"},
      {"pgm", "image/x-portable-graymap"},
      {"png", "image/png"},
      {"ppm", "image/x-portable-pixmap"},
      {"ppt", "application/vnd.ms-powerpoint"},
      {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
      {"ps", "application/postscript"},
      {"rtf", "application/rtf"},
      {"sgi", "image/sgi"},
      {"svg", "image/svg+xml"},
      {"tar", "application/x-tar"},
      {"tif", "image/tiff"},
      {"tiff", "image/tiff"},
      {"txt", "text/plain"},
      {"vcf", "text/vcard"},
      {"wav", "audio/wav"},
      {"webm", "video/webm"},
      {"webp", "image/webp"},
      {"xbm", "image/x-xbitmap"},
      {"xls", "application/vnd.ms-excel"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
      {"xml", "application/xml"},
      {"zip", "application/zip"},
  });
  static_assert(std::ranges::is_sorted(rows, {}, &Row::first));
  const std::size_t dot = name.rfind('.');
  const std::string end = dot == std::string_view::npos ? "" : ascii::lower(name.substr(dot + 1));
  const auto found = std::ranges::lower_bound(rows, std::string_view(end), {}, &Row::first);
  return found != rows.end() && found->first == end ? found->second : "application/octet-stream";
}

}  // namespace facteur::message
