//! Rewrites the content of pages so that the library reads it in full. The library silently skips two commands that
//! draw text, and everything after a command that it does not know, so words of the note would be lost.

use std::io;

use flate2::read::ZlibDecoder;
use pdf_extract::{
    Dictionary, Document, Object, ObjectId, Stream,
    content::{Content, Operation},
};

/// What is wrong with a content.
#[derive(Debug)]
pub(super) struct BrokenContent;

/// The most bytes by which fonts name one letter.
const LONGEST_CODE: usize = 4;

/// Puts the plain content of a page in place of its streams. Returns the least number of letters that it draws.
pub(super) fn prepare_page(document: &mut Document, page: ObjectId) -> Result<usize, BrokenContent> {
    for stream in document.get_page_contents(page) {
        check_packing(document.get_object(stream).and_then(Object::as_stream).map_err(|_| BrokenContent)?)?;
    }
    let content = document.get_page_content(page).map_err(|_| BrokenContent)?;
    let (content, letters) = rewritten(&content)?;
    let stream = document.add_object(Stream::new(Dictionary::new(), content));
    let page = document.get_object_mut(page).and_then(Object::as_dict_mut).map_err(|_| BrokenContent)?;
    page.set("Contents", stream);
    Ok(letters)
}

/// Frees the content of a page that was read.
pub(super) fn forget_page(document: &mut Document, page: ObjectId) {
    for stream in document.get_page_contents(page) {
        document.objects.remove(&stream);
    }
}

/// Leaves out the pictures, which the library would read as if they were text with commands, and rewrites the parts
/// that pages share.
pub(super) fn prepare_parts(document: &mut Document) -> Result<(), BrokenContent> {
    for object in document.objects.values_mut() {
        let Object::Stream(stream) = object else { continue };
        match stream.dict.get(b"Subtype").and_then(Object::as_name) {
            Ok(b"Image") => stream.set_plain_content(Vec::new()),
            Ok(b"Form") => {
                check_packing(stream)?;
                let content = stream.decompressed_content().map_err(|_| BrokenContent)?;
                stream.set_plain_content(rewritten(&content)?.0);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that a packed stream can be unpacked to its end: the library would treat the part before a fault as the
/// whole.
fn check_packing(stream: &Stream) -> Result<(), BrokenContent> {
    let filters = stream.filters().unwrap_or_default();
    let mut packed = stream.content.clone();
    for (at, filter) in filters.iter().enumerate() {
        if *filter == b"FlateDecode" {
            io::copy(&mut ZlibDecoder::new(packed.as_slice()), &mut io::sink()).map_err(|_| BrokenContent)?;
        }
        if at + 1 < filters.len() {
            let step = Stream::new(dictionary(filter), packed);
            packed = step.decompressed_content().map_err(|_| BrokenContent)?;
        }
    }
    Ok(())
}

fn dictionary(filter: &[u8]) -> Dictionary {
    let mut dictionary = Dictionary::new();
    dictionary.set("Filter", Object::Name(filter.to_vec()));
    dictionary
}

/// Returns the content without the commands `'` and `"`, which are short for several others, and the least number of
/// letters that it draws.
fn rewritten(content: &[u8]) -> Result<(Vec<u8>, usize), BrokenContent> {
    let decoded = Content::decode_strict(content).map_err(|_| BrokenContent)?;
    let (mut operations, mut bytes) = (Vec::with_capacity(decoded.operations.len()), 0);
    for Operation { operator, mut operands } in decoded.operations {
        match operator.as_str() {
            "'" => {
                operations.push(Operation::new("T*", Vec::new()));
                operations.push(Operation::new("Tj", operands));
            }
            "\"" => {
                let text = operands.pop().ok_or(BrokenContent)?;
                let [word, letter] = operands.try_into().map_err(|_| BrokenContent)?;
                operations.push(Operation::new("Tw", vec![word]));
                operations.push(Operation::new("Tc", vec![letter]));
                operations.push(Operation::new("T*", Vec::new()));
                operations.push(Operation::new("Tj", vec![text]));
            }
            // A picture between the commands.
            "BI" => continue,
            _ => operations.push(Operation::new(&operator, operands)),
        }
        bytes += operations.last().map_or(0, drawn_bytes);
    }
    Ok((Content { operations }.encode().map_err(|_| BrokenContent)?, bytes / LONGEST_CODE))
}

fn drawn_bytes(operation: &Operation) -> usize {
    let length = |object: &Object| object.as_str().map_or(0, <[u8]>::len);
    match (operation.operator.as_str(), operation.operands.first()) {
        ("Tj", Some(text)) => length(text),
        ("TJ", Some(Object::Array(parts))) => parts.iter().map(length).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_stream_is_broken() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"BT (Stage IV) Tj ET").unwrap();
        let packed = encoder.finish().unwrap();
        let stream = |bytes: &[u8]| Stream::new(dictionary(b"FlateDecode"), bytes.to_vec());
        assert!(check_packing(&stream(&packed)).is_ok());
        assert!(check_packing(&stream(packed.get(..packed.len() - 6).unwrap())).is_err());
        assert!(check_packing(&Stream::new(Dictionary::new(), b"BT ET".to_vec())).is_ok());
    }

    #[test]
    fn short_commands_are_written_out() {
        let content = b"BT (ab) Tj (cdef) ' 1 2 (gh) \" [(i) 3 (jk)] TJ ET";
        let (content, letters) = rewritten(content).unwrap();
        let lines = ["BT", "(ab) Tj", "T*", "(cdef) Tj", "1 Tw", "2 Tc", "T*", "(gh) Tj", "[(i) 3(jk)] TJ", "ET"];
        let written: Vec<String> = String::from_utf8(content).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((written.join("|"), letters), (lines.join("|"), 11 / 4));
        for broken in ["BT (ab) Tj ) Tj", "(a) \"", "BT \u{1} ET"] {
            assert!(rewritten(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
