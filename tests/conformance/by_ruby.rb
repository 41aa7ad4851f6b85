# Reads file names, one a line, and prints for each what Ruby's mail library reads, as JSON: the form of reading.py, and
# values. For message_readers.py.
require "json"
require "mail"
require "zlib"

$stdout.sync = true

def checksum(octets)
  octets = octets.dup.force_encoding("BINARY").gsub("\r\n", "\n").gsub("\r", "\n")
  "#{octets.bytesize}:#{Zlib.adler32(octets)}"
end

def form(part)
  kind = (part.mime_type || "text/plain").downcase
  return "#{kind}[#{part.parts.map { |one| form(one) }.join(' ')}]" if part.multipart? && part.parts.any?
  "#{kind}:#{checksum(part.body.decoded)}"
rescue StandardError => error
  "#{kind}:error-#{error.class.name.gsub(':', '')}"
end

def tried
  value = yield
  value.to_s.dup.force_encoding("UTF-8").scrub("\uFFFD")
rescue StandardError => error
  "error: #{error.class}"
end

def lines(list)
  Array(list).map { |one| "#{one}\n" }.join
end

STDIN.each_line do |path|
  begin
    mail = Mail.new(File.binread(path.chomp))
    values = {
      subject: tried { mail.subject },
      from: tried { lines(mail.from) },
      to: tried { lines(mail.to) },
      cc: tried { lines(mail.cc) },
      date: tried { mail.date && mail.date.to_time.to_i },
      files: tried { lines(mail.all_parts.push(mail).map { |one| one.filename }.compact) },
    }
    puts JSON.generate(form: form(mail), values: values)
  rescue StandardError => error
    puts JSON.generate(form: "error: #{error.class}", values: {})
  end
end
