"""config/cloudformation.yaml, created once in moto (a stand-in for AWS in this process), and its document, run."""

import ast
import base64
import gzip
import hashlib
import json
import re
import subprocess

import boto3
import moto
import pytest
import stack
import yaml

REGION = "us-east-1"
PROGRAM = "printf '%s by %s\\n' \"$ACTION\" \"$OPERATOR\"\n"
HASH = hashlib.sha256(PROGRAM.encode()).hexdigest()


@pytest.fixture(scope="module")
def aws():
    with moto.mock_aws():
        def client(service):
            return boto3.client(service, REGION, aws_access_key_id="none", aws_secret_access_key="none")

        ec2 = client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        given = {
            "VpcId": vpc, "SubnetId": subnet, "AllowedCidr": "203.0.113.7/32", "ImageId": image,
            "ElasticAddress": "yes", "ProgramSha256": f"{'0' * 64} {HASH}", "GitHubRepository": "owner/name",
        }
        client("cloudformation").create_stack(
            StackName="box", TemplateBody=stack.text("config/cloudformation.yaml"), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )
        yield client


def outputs(aws):
    made = aws("cloudformation").describe_stacks(StackName="box")["Stacks"][0]
    assert made["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}


def test_the_box(aws):
    reservation = aws("ec2").describe_instances(InstanceIds=[outputs(aws)["InstanceId"]])["Reservations"][0]
    instance = reservation["Instances"][0]
    assert instance["InstanceType"] == "g6.2xlarge" and "KeyName" not in instance
    assert {"Key": "extraction-gateway", "Value": "box"} in instance["Tags"]
    profile = aws("iam").list_instance_profiles()["InstanceProfiles"][0]
    assert instance["IamInstanceProfile"]["Arn"] == profile["Arn"]
    [address] = aws("ec2").describe_addresses()["Addresses"]
    assert address["InstanceId"] == instance["InstanceId"]


def test_what_moto_does_not_keep():
    """Read from the template: moto forgets these."""
    written = stack.text("config/cloudformation.yaml")
    assert "MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 1, HttpEndpoint: enabled}" in written
    egress = written[written.index("SecurityGroupEgress:") : written.index("  Role:")]
    assert re.findall(r"FromPort: (\d+), ToPort: (\d+)", egress) == [("443", "443"), ("80", "80")]
    assert "Encrypted: true" in written and "InstanceInitiatedShutdownBehavior: stop" in written


def test_the_firewall(aws):
    [group] = [group for group in aws("ec2").describe_security_groups()["SecurityGroups"] if "no SSH" in group["Description"]]
    ports = [(rule["FromPort"], rule["ToPort"], rule["IpRanges"][0]["CidrIp"]) for rule in group["IpPermissions"]]
    assert ports == [(8080, 8080, "203.0.113.7/32")]


def read(document):
    """A document out of a template: moto keeps it as Python writes it."""
    return ast.literal_eval(document) if isinstance(document, str) else document


def statements(aws, policy):
    iam = aws("iam")
    for role in iam.list_roles()["Roles"]:
        if policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            assert iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"] == []
            document = read(iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"])
            return role, {statement["Sid"]: statement for statement in document["Statement"]}
    pytest.fail(f"no role has the policy {policy}")


def test_the_box_may_do_little(aws):
    _, rights = statements(aws, "box")
    anywhere = {sid for sid, statement in rights.items() if statement["Resource"] == "*"}
    assert anywhere == {"BeManagedBySystemsManager", "LogInToTheRegistry", "FindTheLogGroup"}
    assert "ssm:GetParameter" not in json.dumps(rights) and ":*" not in json.dumps([right["Action"] for right in rights.values()])
    assert rights["StopItselfWhenIdle"]["Condition"] == {"StringEquals": {"aws:ResourceTag/extraction-gateway": "box"}}
    secret = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:extraction-gateway/hf-token-??????"
    assert rights["ReadTheHuggingFaceToken"]["Resource"] == secret


def test_the_push_is_for_one_branch_of_one_repository(aws):
    role, rights = statements(aws, "push")
    [trust] = read(role["AssumeRolePolicyDocument"])["Statement"]
    assert trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == "repo:owner/name:ref:refs/heads/main"
    assert trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert [sid for sid, right in rights.items() if right["Resource"] == "*"] == ["LogIn"]


def test_repositories_and_log(aws):
    repositories = {repository["repositoryName"] for repository in aws("ecr").describe_repositories()["repositories"]}
    assert repositories == {"box/gateway", "box/vllm"}
    [group] = aws("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/extraction-gateway/box", 30)
    assert outputs(aws)["GatewayRepositoryUri"].endswith("/box/gateway")


def packed(text):
    return base64.b64encode(gzip.compress(text.encode())).decode()


def run_document(aws, tmp_path, values, program=PROGRAM):
    """As the agent does it: the parameters put into the lines, the lines into a file, the file to `sh -c`."""
    content = read(aws("ssm").get_document(Name=outputs(aws)["DocumentName"])["Content"])
    lines = content["mainSteps"][0]["inputs"]["runCommand"]
    script = tmp_path / "_script.sh"
    script.write_text("\n".join(lines).replace("{{ Values }}", packed(values)).replace("{{ Program }}", packed(program)))
    script.chmod(0o700)
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)


VALUES = "readonly ACTION='status'\nreadonly OPERATOR='it'\\''s $(me)'\n"


def test_the_document_runs_the_program_it_names(aws, tmp_path):
    done = run_document(aws, tmp_path, VALUES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "status by it's $(me)\n", "")


@pytest.mark.parametrize(
    ("values", "program", "why"),
    [
        (VALUES, PROGRAM + "id\n", "does not name that program"),
        (VALUES + "id\n", PROGRAM, "more than values"),
        (VALUES + "readonly A='x'; id\n", PROGRAM, "more than values"),
        (VALUES + "readonly A='x'$(id)\n", PROGRAM, "more than values"),
        (VALUES + "readonly A='x'\\''$(id)\n", PROGRAM, "more than values"),
        (VALUES + "readonly A=$(id)\n", PROGRAM, "more than values"),
        (VALUES + 'readonly A="$(id)"\n', PROGRAM, "more than values"),
        ("printf() { id; }\n" + VALUES, PROGRAM, "more than values"),
        (VALUES + "readonly A='x\n'\n", PROGRAM, "more than values"),
        (VALUES + "readonly PATH='/tmp'\n", PROGRAM, "a name that is not theirs"),
    ],
)
def test_the_document_runs_nothing_else(aws, tmp_path, values, program, why):
    done = run_document(aws, tmp_path, values, program)
    assert done.returncode == 65 and why in done.stderr and done.stdout == ""


def template():
    """As it is written; `!Sub` and its like become what they wrap."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{node.id}")(node))
    return yaml.load(stack.text("config/cloudformation.yaml"), Loader)


def test_nothing_in_the_template_is_looked_up_anew_at_an_update():
    """Parameters of the type AWS::SSM::Parameter::Value are, also where the previous value is to be used."""
    written = template()
    assert [name for name, one in written["Parameters"].items() if "SSM" in one["Type"]] == []
    assert "{{resolve:" not in stack.text("config/cloudformation.yaml")
    # Whoever creates the stack names the image, and no default of a later template is another one.
    assert written["Parameters"]["ImageId"]["Type"] == "AWS::EC2::Image::Id" and "Default" not in written["Parameters"]["ImageId"]


def test_the_instance_outlives_its_stack_and_every_update():
    instance = template()["Resources"]["Instance"]
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert instance["Properties"]["DisableApiTermination"] is True


def test_the_stack_policy_refuses_to_replace_or_remove_the_instance():
    statements = json.loads(stack.text("config/stack-policy.json"))["Statement"]
    resources = template()["Resources"]
    refused = {}
    for statement in statements:
        assert statement["Principal"] == "*"
        if statement["Effect"] == "Deny":
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            for resource in statement["Resource"]:
                name = resource.removeprefix("LogicalResourceId/")
                assert name in resources, resource
                refused.setdefault(name, set()).update(actions)
    assert refused["Instance"] == {"Update:Replace", "Update:Delete"}
    # A security group that is replaced would take the instance with it.
    assert {"Address", "SecurityGroup"} <= set(refused)
    assert {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"} in statements
    for readme in ("config/README.md", "deployer/README.md"):
        assert "set-stack-policy" in stack.text(readme), readme


def test_a_newer_program_is_named_without_another_instance(aws):
    """What the command does that the deployer prints (deployer/src/apply/ssm_document.rs), after AWS has made a newer image."""
    formation, before = aws("cloudformation"), outputs(aws)
    address = aws("ec2").describe_addresses()["Addresses"]
    # moto remembers what was given, and not the defaults.
    names = ["VpcId", "SubnetId", "AllowedCidr", "ImageId", "ElasticAddress", "ProgramSha256", "GitHubRepository"]
    newer = f"{HASH} {'1' * 64}"
    formation.update_stack(
        StackName="box", UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": newer} if name == "ProgramSha256" else {"ParameterKey": name, "UsePreviousValue": True}
            for name in names
        ],
    )
    after = outputs(aws)
    assert after["InstanceId"] == before["InstanceId"]
    assert aws("ec2").describe_addresses()["Addresses"] == address
    [reservation] = aws("ec2").describe_instances()["Reservations"]
    assert [instance["State"]["Name"] for instance in reservation["Instances"]] == ["running"]
    # moto writes no new version of a document; that the stack has the new parameter is all that can be seen here.
    [stack_now] = formation.describe_stacks(StackName="box")["Stacks"]
    assert {"ParameterKey": "ProgramSha256", "ParameterValue": newer} in stack_now["Parameters"]
