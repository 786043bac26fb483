# What is wrong with the document of an attempt: the names of its fields, or nothing. Whatever passes can be a word of a
# shell, of curl's, of iscsid's and of mount's options: no quotes, no backslashes, no white space, no line ends.
def text(pattern): type == "string" and test("\\A(?:" + pattern + ")\\z");
def whole: type == "number" and . >= 0 and . == floor and . <= 9007199254740991;
def wrong(name; rule): if rule then empty else name end;
def octet: "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
def address: octet + "(?:\\." + octet + "){3}";
def uuid: "[0-9A-Fa-f]{4,8}(?:-[0-9A-Fa-f]{4,12}){1,4}";

def ram:
    wrong("ram.url"; .url | text("http://[!#-\\[\\]-~]{1,1000}")),
    wrong("ram.token"; .token | text("[0-9A-Za-z._~+/=-]{1,500}")),
    wrong("ram.bytes"; .bytes | whole),
    wrong("ram.sha256"; .sha256 | text("[0-9a-f]{64}"));

def base64: "(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?";

def nfs:
    wrong("nfs.server"; .server | text(address)),
    wrong("nfs.path"; .path | text("/[0-9A-Za-z._/-]{0,500}")),
    wrong("nfs.read_only"; .read_only | type == "boolean"),
    wrong("nfs.overlay"; .overlay | type == "boolean"),
    wrong("nfs.overlay, which a read-only root needs"; .overlay or (.read_only | not));

def iscsi:
    wrong("iscsi.portal"; .portal | text(address + ":[0-9]{1,5}")),
    wrong("iscsi.target"; .target | text("(?:iqn|eui|naa)\\.[0-9a-z.:-]{1,219}")),
    wrong("iscsi.initiator"; .initiator | text("(?:iqn|eui|naa)\\.[0-9a-z.:-]{1,219}")),
    wrong("iscsi.user"; .user | text("[0-9A-Za-z][0-9A-Za-z._:-]{0,62}")),
    wrong("iscsi.secret"; .secret | text("[0-9A-Za-z._:+~-]{12,16}")),
    wrong("iscsi.root"; .root | text("UUID=" + uuid));

def file:
    wrong("files.path"; .path | text("/[^\\x00-\\x1f\\x7f]{1,1000}") and (split("/") | all(. != ".." and . != ".")) and (endswith("/") | not)),
    wrong("files.mode"; .mode | whole and . <= 4095),
    wrong("files.content"; .content | type == "string");

if length != 1 or (.[0] | type) != "object" then "they are no JSON object" else .[0] | [
    wrong("version"; .version == 1),
    wrong("delivery"; .delivery == "ram" or .delivery == "nfs" or .delivery == "iscsi"),
    wrong("hostname"; .hostname | text("[0-9A-Za-z](?:[0-9A-Za-z.-]{0,62}[0-9A-Za-z])?")),
    (if .delivery == "ram" then .ram | ram else empty end),
    (if .delivery == "nfs" then .nfs | nfs else empty end),
    (if .delivery == "iscsi" then .iscsi | iscsi else empty end),
    wrong("upper"; .upper // "" | text(base64)),
    ((.files // [])[] | file)
] | unique | join(", ") end
